//! `demo` shows every operation, returns an exit code that tells whether all was as expected, and leaves nothing
//! behind.

use fineract_gateway::domain::OperationType;
use fineract_gateway::tls::http_client;
use fineract_sandbox::{Sandbox, ServedSandbox};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpStream,
    process::{ChildStdout, Command},
    time::timeout,
};

use crate::{
    command::{Ended, TemporaryFolder, program, run},
    eventually::DEADLINE,
};

/// The demo must use a free port. Port 8080 may be in use on the machine that runs the tests.
pub(crate) const ANYWHERE: [&str; 3] = ["demo", "--listen", "127.0.0.1:0"];

/// The `curl` lines that the demo prints, in order: a part of the URL, and the status of a GET with the demo's secrets.
const WHAT_TO_TRY: [(&str, u16); 6] = [
    ("operate", 405),
    ("track", 200),
    ("bulk/status", 405),
    ("transactions", 200),
    ("readyz", 200),
    ("ledger", 200),
];

#[tokio::test]
async fn once_shows_every_type_and_leaves_nothing_behind() {
    let folder = TemporaryFolder::new();
    let mut arguments = ANYWHERE.to_vec();
    arguments.push("--once");
    let Ended {
        code,
        stdout,
        stderr,
    } = run(&arguments, &[("TMPDIR", folder.path())]).await;

    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(stderr, "");
    for operation_type in OperationType::ALL {
        let line = format!("  {operation_type}|");
        assert!(stdout.contains(&line), "{operation_type}: {stdout}");
    }
    let ok = stdout.lines().filter(|line| line.starts_with("  ok  "));
    assert_eq!(ok.count(), 37, "{stdout}");
    assert!(
        stdout.contains("36 operations, all as expected."),
        "{stdout}"
    );
    shows_a_batch_and_a_transaction(&stdout);
    assert!(!stdout.contains('\u{1b}'), "colours without a terminal");
    assert!(is_empty(&folder));
    PgConnection::connect(place(&stdout, "Postgres"))
        .await
        .expect_err("Postgres is gone");
}

fn shows_a_batch_and_a_transaction(stdout: &str) {
    let has = |start: &str, words: &[&str]| {
        stdout.lines().any(|line| {
            let line = line.trim_start();
            line.starts_with(start) && words.iter().all(|word| line.contains(word))
        })
    };
    let ended = "FAILED: of 5 rows 0 ready, 0 in progress, 4 completed, 1 failed";
    assert!(has(ended, &[]), "{stdout}");
    let payout = ["LOAN_DISBURSE|", "COMPLETED"];
    assert!(has("ok  LOAN-400", &payout), "{stdout}");
    let failed = ["LOAN_APPROVE|", "FAILED", "YesWithModifications"];
    assert!(has("ok  LOAN-124", &failed), "{stdout}");
    let transaction = [
        r#""operation_type":"withdrawal""#,
        r#""status":"success""#,
        r#""amount":100000"#,
        r#""completion_details":{"#,
    ];
    assert!(has(r#"{"id":""#, &transaction), "{stdout}");
}

#[tokio::test]
async fn it_stays_up_with_lines_that_work_until_a_signal() {
    for signal in ["INT", "TERM"] {
        let folder = TemporaryFolder::new();
        let mut demo = program(&ANYWHERE, &[("TMPDIR", folder.path())])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = demo.stdout.take().expect("the demo's output is piped");
        let mut lines = BufReader::new(stdout).lines();
        let shown = timeout(DEADLINE, read_until(&mut lines, "Ctrl-C"))
            .await
            .expect("the demo has started in time");

        let client = http_client().no_proxy().build().expect("a client");
        let urls: Vec<_> = shown
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("curl "))
            .flat_map(|line| line.split([' ', '\'']))
            .filter(|word| word.starts_with("http"))
            .collect();
        for (url, (path, expected)) in urls.iter().zip(WHAT_TO_TRY) {
            assert!(url.contains(path), "{path}: {url}");
            let request = client
                .get(*url)
                .header("X-Internal-Token", "demo-token")
                .header("Authorization", "Token demo-key");
            let answer = request.send().await.expect("somebody listens");
            assert_eq!(answer.status(), expected, "{url}");
        }
        assert_eq!(urls.len(), WHAT_TO_TRY.len(), "{shown}");

        let pid = demo.id().expect("the demo runs").to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.await.expect("kill runs").success());
        let ended = timeout(DEADLINE, demo.wait())
            .await
            .expect("the demo ends after the signal");
        assert_eq!(ended.expect("a status").code(), Some(0), "{signal}");
        assert!(is_empty(&folder), "{signal}");
        let api = place(&shown, "Gateway");
        let address = api.trim_start_matches("http://").split('/').next();
        TcpStream::connect(address.expect("an address"))
            .await
            .expect_err("the gateway is gone");
    }
}

#[tokio::test]
async fn a_real_fineract_is_set_up_first_and_can_be_used_again() {
    let sandbox = a_fresh_fineract().await;
    for created in [12, 0] {
        let Ended {
            code,
            stdout,
            stderr,
        } = against(&sandbox).await;
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        let lines = stdout.lines();
        assert_eq!(
            lines.filter(|line| line.contains("  created")).count(),
            created
        );
    }
}

#[tokio::test]
async fn what_goes_otherwise_than_expected_is_shown_and_told_by_the_exit_code() {
    let sandbox = a_fresh_fineract().await;
    let product = json!({
        "name": "UGRO", "shortName": "UGR", "currencyCode": "INR", "principal": 1000,
        "maxPrincipal": 50000, "numberOfRepayments": 12, "repaymentEvery": 1,
        "repaymentFrequencyType": 2, "interestRatePerPeriod": 8, "interestRateFrequencyType": 2,
        "amortizationType": 1, "interestType": 0, "interestCalculationPeriodType": 1,
        "transactionProcessingStrategyCode": "mifos-standard-strategy", "locale": "en",
    });
    make_product(&sandbox, &product).await;
    let Ended { code, stdout, .. } = against(&sandbox).await;
    assert_eq!(code, Some(1), "{stdout}");
    let refused = stdout
        .lines()
        .find(|line| line.starts_with("  !!  LOAN-123"))
        .unwrap_or_default();
    assert!(refused.contains("Fineract returned 400"), "{stdout}");
    assert!(stdout.contains("not as expected"), "{stdout}");
}

fn is_empty(folder: &TemporaryFolder) -> bool {
    let mut left = std::fs::read_dir(folder.path()).expect("the folder");
    left.next().is_none()
}

/// A Fineract without products.
async fn a_fresh_fineract() -> ServedSandbox {
    let serving = Sandbox::unprepared().serve_on_free_port().await;
    serving.expect("a free port")
}

/// Creates a product as a user of Fineract.
async fn make_product(sandbox: &ServedSandbox, product: &Value) {
    let client = http_client().no_proxy().build().expect("a client");
    let request = client
        .post(format!("{}/loanproducts", sandbox.url()))
        .header("Fineract-Platform-TenantId", "default")
        .basic_auth("mifos", Some("password"));
    let answer = request.json(product).send().await;
    let status = answer.expect("the sandbox answers").status();
    assert!(status.is_success(), "{status}");
}

async fn against(sandbox: &ServedSandbox) -> Ended {
    let url = sandbox.url();
    let mut arguments = ANYWHERE.to_vec();
    arguments.extend(["--once", "--fineract", &url]);
    run(&arguments, &[]).await
}

pub(crate) async fn read_until(lines: &mut Lines<BufReader<ChildStdout>>, text: &str) -> String {
    let mut read = String::new();
    while let Some(line) = lines.next_line().await.expect("text") {
        read += &line;
        read.push('\n');
        if line.contains(text) {
            return read;
        }
    }
    read
}

/// The address or path that the demo shows under this name.
pub(crate) fn place<'a>(stdout: &'a str, name: &str) -> &'a str {
    let line = stdout
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    line.expect("its line").trim()
}
