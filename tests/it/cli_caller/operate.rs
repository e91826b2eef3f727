//! `operate`.

use std::{fs, path::Path, process::Stdio};

use reqwest::Method;
use sqlx::PgPool;
use tokio::{io::AsyncWriteExt as _, net::TcpListener, time::timeout};

use super::{answer, los, printed, request};
use crate::support::{
    Answer, TOKEN, TestGateway,
    command::{TemporaryFolder, program, run},
    eventually::DEADLINE,
    operators::Operator,
};

const LOAN: [&str; 10] = [
    "operate",
    "LOAN_CREATE",
    "lenderConfig=UGRO",
    "externalId=0007",
    "clientId=C",
    "principal=12345678901234567.10",
    "submittedOnDate=11 January 2026",
    "loanTermFrequency=12",
    "numberOfRepayments=12",
    "interestRatePerPeriod=8.300",
];

/// What an operator sees of an operation, with the payload as it was sent.
async fn shown(gateway: &TestGateway, tracking_id: &str) -> String {
    let operator = Operator::of(gateway.address);
    let request = operator.request(Method::GET, &format!("/{}", tracking_id.trim()));
    Answer::of(request).await.text
}

#[sqlx::test]
async fn an_operation_is_sent_as_it_was_typed(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let id = printed(gateway.address, &LOAN).await;
    assert!(id.starts_with("LOAN_CREATE|") && id.ends_with('\n'), "{id}");
    let payload = r#"{"lenderConfig":"UGRO","externalId":"0007","clientId":"C","principal":12345678901234567.10,"submittedOnDate":"11 January 2026","loanTermFrequency":12,"numberOfRepayments":12,"interestRatePerPeriod":8.300}"#;
    let text = shown(&gateway, &id).await;
    assert!(text.contains(payload), "{text}");

    let folder = TemporaryFolder::new();
    let file = Path::new(folder.path()).join("loan.json");
    fs::write(&file, payload).unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        ["operate", "LOAN_CREATE", "--data", payload],
        ["operate", "LOAN_CREATE", "--file", file],
    ] {
        let id = printed(gateway.address, &arguments).await;
        assert!(shown(&gateway, &id).await.contains(payload), "{id}");
    }

    let url = format!("http://{}", gateway.address);
    let arguments = [
        "operate",
        "LOAN_CREATE",
        "--file",
        "-",
        "--expires-at",
        "2099-01-01T00:00:00Z",
        "--json",
    ];
    let variables = [("GATEWAY_TOKEN", TOKEN), ("GATEWAY_URL", &url)];
    let mut process = program(&arguments, &variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = process.stdin.take().expect("a pipe");
    stdin.write_all(payload.as_bytes()).await.expect("a reader");
    drop(stdin);
    let ended = timeout(DEADLINE, process.wait_with_output()).await;
    let ended = ended.expect("it ends in time").expect("it ran");
    let body = String::from_utf8(ended.stdout).expect("text");
    let id = body.strip_prefix(r#"{"tracking_id":""#);
    let id = id.and_then(|rest| rest.strip_suffix("\",\"status\":\"processing\"}\n"));
    let text = shown(&gateway, id.expect(&body)).await;
    assert!(text.contains(payload), "{text}");
    assert!(text.contains("2099-01-01"), "{text}");
}

#[sqlx::test]
async fn a_key_makes_a_repetition_safe(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let keyed = [&LOAN[..], &["--idempotency-key", "order-1"]].concat();
    let first = printed(gateway.address, &keyed).await;
    assert_eq!(printed(gateway.address, &keyed).await, first);
    assert_ne!(printed(gateway.address, &LOAN).await, first);
    let other = [&keyed[..], &["loanTermFrequencyType=days"]].concat();
    let other = los(gateway.address, &other).await;
    assert_eq!(other.code, Some(2), "{}", other.stdout);
    assert!(
        other.stderr.contains("idempotency_key_reused"),
        "{}",
        other.stderr
    );
}

#[sqlx::test]
async fn a_refusal_has_every_reason_and_nothing_of_the_payload(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let create = "CLIENT_CREATE";
    for (arguments, said) in [
        (
            &["operate", create, "lastname=Badgujar", "mobileno=1"][..],
            &[
                "/data/firstname is required",
                "/data/mobileno is not a field",
            ][..],
        ),
        (
            &["operate", "LOAN_REPAYMENT", "transactionAmount=1,000"],
            &["/data/transactionAmount must be a JSON number"],
        ),
        (&["operate", "CLIENT", "a=b"], &["/status must be one of"]),
        (
            &["operate", create, "--data", "{\"lastname\": Badgujar}"],
            &["the payload is not JSON: expected value at line 1 column 14"],
        ),
        (
            &["operate", create, "--file", "/does/not/exist"],
            &["cannot read /does/not/exist"],
        ),
        (&["operate", create], &["required"]),
        (&["operate", create, "lastname"], &["is not KEY=VALUE"]),
        (
            &["operate", create, "a=b", "--data", "{}"],
            &["cannot be used with"],
        ),
        (
            &["operate", create, "a=b", "--token", "hush"],
            &["unexpected argument"],
        ),
    ] {
        let ended = los(gateway.address, arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stdout);
        for said in said {
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
        for hidden in ["Badgujar", "--idempotency-key", TOKEN] {
            assert!(!ended.stderr.contains(hidden), "{hidden}: {}", ended.stderr);
        }
    }
    let url = format!("http://{}", gateway.address);
    for (token, said) in [
        (
            "",
            "GATEWAY_TOKEN is not set: put one of the secrets of INTERNAL_TOKENS",
        ),
        ("wrong", "unauthorized"),
    ] {
        let arguments = ["operate", create, "a=b", "--url", &url];
        let ended = run(&arguments, &[("GATEWAY_TOKEN", token)]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stdout);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn without_an_answer_the_key_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let arguments = ["operate", "LOAN_DELETE", "external_loan_id=secret-loan"];
    let silent = async { request(&listener).await.1 };
    let (ended, head) = tokio::join!(los(address, &arguments), silent);
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("idempotency-key: "));
    let key = key.expect("a key");
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    let told = format!(
        "the operation may have been accepted; to be sure, repeat the command with --idempotency-key {key}: the gateway does not answer"
    );
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    for hidden in ["secret-loan", TOKEN] {
        assert!(!ended.stderr.contains(hidden), "{hidden}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_redirect_does_not_get_the_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let arguments = ["operate", "LOAN_DELETE", "external_loan_id=L"];
    let redirects = async {
        let (stream, _) = request(&listener).await;
        let status = format!("307 Temporary Redirect\r\nLocation: http://{address}/elsewhere");
        answer(stream, &status, "").await;
    };
    let (ended, ()) = tokio::join!(los(address, &arguments), redirects);
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert_eq!(
        ended.stderr,
        "fineract-gateway: the gateway answered 307 Temporary Redirect: is the address right, including the base path?\n"
    );
}
