//! Runs `bulk-measure` against the gateway and the sandbox of the demo.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::{
    command::{Ended, TemporaryFolder, program, run},
    demo::{ANYWHERE, place, read_until},
    eventually::DEADLINE,
};

const CLIENT: [(&str, &str); 4] = [
    ("BULK_CLIENT_ID", "demo-client"),
    ("BULK_CLIENT_SECRET", "demo-secret"),
    ("BULK_APP_IDENTIFIER", "demo-app"),
    ("BULK_ORGANISATION_ID", "demo-org"),
];

#[tokio::test]
async fn a_batch_that_is_measured_is_consistent_to_its_end() {
    let folder = TemporaryFolder::new();
    let mut demo = program(&ANYWHERE, &[("TMPDIR", folder.path())])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let stdout = demo.stdout.take().expect("the demo's output is piped");
    let mut lines = BufReader::new(stdout).lines();
    let shown = timeout(DEADLINE, read_until(&mut lines, "Ctrl-C"))
        .await
        .expect("the demo has started in time");
    let pid = demo.id().expect("the demo runs").to_string();
    let url = place(&shown, "Gateway");
    let arguments = ["bulk-measure", "202", "--url", url, "--pid", &pid];
    let Ended {
        code,
        stdout,
        stderr,
    } = run(&arguments, &CLIENT).await;
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for said in [
        "accepted in ",
        "202 rows ended within ",
        "each row once",
        "2 failed rows are sent again",
        "peak memory at the end: ",
        "COMPLETED: 100% of 202 rows; 0 ready, 0 in progress, 202 completed, 0 failed",
    ] {
        assert!(stdout.contains(said), "{said}: {stdout}");
    }
}
