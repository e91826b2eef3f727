//! `fineract-gateway bulk`.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use sqlx::PgPool;

use crate::support::{
    command::{Ended, TemporaryFolder, run},
    fixtures::client_create,
    system::System,
};

pub(super) async fn bulk(address: SocketAddr, reference_id: &str, arguments: &[&str]) -> Ended {
    let url = format!("http://{address}");
    let arguments: Vec<&str> = ["bulk"]
        .into_iter()
        .chain(arguments.iter().copied())
        .chain(["--url", &url, "--reference-id", reference_id])
        .collect();
    run(&arguments, &VARIABLES).await
}

const VARIABLES: [(&str, &str); 4] = [
    ("BULK_CLIENT_ID", "lender-id"),
    ("BULK_CLIENT_SECRET", "lender-secret"),
    ("BULK_APP_IDENTIFIER", "lender-app"),
    ("BULK_ORGANISATION_ID", "lender-org"),
];

const HEADER: &str = "status,externalId,firstname,lastname,activationDate,mobileNo";

#[sqlx::test]
async fn a_file_is_sent_and_its_failed_rows_are_corrected_and_sent_again(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let folder = TemporaryFolder::new();
    let file = Path::new(folder.path()).join("clients.csv");
    let path = file.to_str().unwrap();
    let failed = file.with_extension("failed.csv");
    let failed = failed.to_str().unwrap();
    let rows = "CLIENT_CREATE,C-1,Jayesh,\"Bad, gujar\",01 January 2026,099\n\
                CLIENT_CREATE,C-2,A,B,01 January 2026,099\nCLIENT_CREATE,C-3,,B,01 January 2026,\n";
    fs::write(&file, format!("{HEADER}\n{rows}")).unwrap();

    let refused = bulk(gateway.address, "r", &["submit", path]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(
        refused
            .stderr
            .contains("row 3 (line 4) /data/firstname is required"),
        "{}",
        refused.stderr
    );

    fs::write(failed, "").unwrap();
    fs::set_permissions(failed, fs::Permissions::from_mode(0o644)).unwrap();
    let sent = bulk(gateway.address, "r", &["submit", path, "--accept-valid"]).await;
    assert_eq!(sent.code, Some(1), "{}", sent.stderr);
    assert!(
        sent.stdout
            .contains("r FAILED: 100% of 3 rows; 0 ready, 0 in progress, 1 completed, 2 failed"),
        "{}",
        sent.stdout
    );
    // It has people's data. What was there before was readable by all.
    let mode = fs::metadata(failed).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written = fs::read_to_string(failed).unwrap();
    let lines: Vec<_> = written.lines().collect();
    // Two rows have the same mobile number. Fineract accepts the row that arrives first.
    let second = lines[1].split(',').next().unwrap();
    assert_eq!(
        lines[0],
        "\u{feff}id,status,externalId,firstname,lastname,activationDate,mobileNo,error_code,error_message,retry_eligible"
    );
    assert!(
        lines[1].ends_with(
            "error.msg.client.duplicate.mobileNo,Fineract returned 403: Sandbox: client duplicate mobileNo.,YesWithModifications"
        ),
        "{}",
        lines[1]
    );
    assert_eq!(
        lines[2],
        "3,CLIENT_CREATE,C-3,,B,01 January 2026,,invalid_row,Not accepted: /data/firstname is required,YesWithModifications"
    );

    fs::write(
        failed,
        written.replace("3,CLIENT_CREATE,C-3,,", "3,CLIENT_CREATE,C-3,Jayesh,"),
    )
    .unwrap();
    let retried = bulk(gateway.address, "r", &["retry", failed]).await;
    assert_eq!(retried.code, Some(1), "{}", retried.stderr);
    assert!(
        retried.stdout.contains("2 rows are sent again, 0 are not"),
        "{}",
        retried.stdout
    );

    let corrected = format!(
        "id,mobileNo,externalId,firstname,lastname,activationDate\n{second},1,C-9,A,B,01 January 2026\n"
    );
    fs::write(failed, corrected).unwrap();
    let refused = bulk(gateway.address, "r", &["retry", failed]).await;
    assert!(refused.stdout.contains("(other_id)"), "{}", refused.stdout);
    let arguments = ["retry", failed, "--allow-other-ids"];
    let retried = bulk(gateway.address, "r", &arguments).await;
    assert_eq!(
        retried.code,
        Some(0),
        "{} {}",
        retried.stdout,
        retried.stderr
    );
    let status = bulk(gateway.address, "r", &["status", path]).await;
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    assert_eq!(
        status.stdout,
        "r COMPLETED: 100% of 3 rows; 0 ready, 0 in progress, 3 completed, 0 failed\n"
    );
    let nothing = bulk(gateway.address, "r", &["retry"]).await;
    assert!(
        nothing.stdout.starts_with("0 rows are sent again"),
        "{}",
        nothing.stdout
    );
    assert_eq!(system.ledger().await.len(), 3);
    assert!(gateway.shut_down().await);
}

#[sqlx::test]
async fn json_files_are_lists_or_objects_and_lines(pool: PgPool) {
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let folder = TemporaryFolder::new();
    let row =
        |id: &str, firstname: &str| client_create(id).to_string().replace("Jayesh", firstname);
    for (name, reference, content) in [
        (
            "list.json",
            "a",
            format!("[{}, {}]", row("A", "J"), row("A2", "")),
        ),
        (
            "object.json",
            "b",
            format!("{{\"operations\": [{}, {}]}}", row("B", "J"), row("B2", "")),
        ),
        (
            "lines.ndjson",
            "c",
            format!("{}\n\n{}\n", row("C", "J"), row("C2", "")),
        ),
    ] {
        let file = Path::new(folder.path()).join(name);
        fs::write(&file, content).unwrap();
        let path = file.to_str().unwrap();
        let sent = bulk(
            gateway.address,
            reference,
            &["submit", path, "--accept-valid"],
        )
        .await;
        assert_eq!(sent.code, Some(1), "{name} {} {}", sent.stdout, sent.stderr);
        let written = fs::read_to_string(file.with_extension("failed.csv")).unwrap();
        let id = format!("{}2", reference.to_uppercase());
        let expected = format!(
            "\u{feff}id,status,activationDate,externalId,firstname,lastname,error_code,error_message,retry_eligible\n\
             2,CLIENT_CREATE,01 January 2026,{id},,Badgujar,invalid_row,Not accepted: /data/firstname must not be blank,YesWithModifications\n"
        );
        let mut found: Vec<_> = written.lines().flat_map(|line| line.split(',')).collect();
        let mut wanted: Vec<_> = expected.lines().flat_map(|line| line.split(',')).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{name}");
    }
    let unknown = bulk(gateway.address, "r", &["submit", "x.xls"]).await;
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("ends in none of"),
        "{}",
        unknown.stderr
    );
    assert!(gateway.shut_down().await);
}
