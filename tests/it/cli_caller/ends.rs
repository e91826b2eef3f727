//! `track`, `wait` and `operate --wait`.

use serde_json::Value;
use sqlx::PgPool;

use super::{los, printed};
use crate::support::{
    Answer, TestGateway,
    fixtures::{client_create, done, refused},
    system::System,
};

#[sqlx::test]
async fn operations_are_tracked(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let failed = gateway.accept(&client_create("A")).await;
    gateway.end_next(refused()).await;
    let running = gateway.accept(&client_create("B")).await;
    let unknown = "LOAN_DELETE|406362bf-f3da-4bc6-a506-d67e0878b7b6";

    assert_eq!(
        printed(gateway.address, &["track", &failed]).await,
        format!("{failed}  failed  refused\n")
    );
    let answer = Answer::of(gateway.get(&format!("/fineract/track/{failed}"))).await;
    assert_eq!(
        printed(gateway.address, &["track", "--json", &failed]).await,
        answer.text + "\n"
    );
    let many = los(gateway.address, &["track", &running, &failed, unknown]).await;
    assert_eq!(many.code, Some(1), "{}", many.stderr);
    assert_eq!(
        many.stdout,
        format!("{running}  processing\n{failed}  failed  refused\n{unknown}  unknown\n")
    );
    let many = printed(gateway.address, &["track", "--json", &running, &failed]).await;
    let many: Value = serde_json::from_str(&many).expect("JSON");
    assert_eq!(many["operations"][1], gateway.track(&failed).await);

    for (id, said) in [
        (unknown, "unknown_tracking_id"),
        ("nothing", "malformed_tracking_id"),
    ] {
        for command in ["track", "wait"] {
            let ended = los(gateway.address, &[command, id]).await;
            assert_eq!(ended.code, Some(2), "{}", ended.stdout);
            assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        }
    }
}

#[sqlx::test]
async fn the_exit_code_is_the_end(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (end, code, said) in [(done(), 0, "success"), (refused(), 1, "failed  refused")] {
        let id = gateway.accept(&client_create("A")).await;
        let arguments = ["wait", &id];
        let (ended, ()) = tokio::join!(los(gateway.address, &arguments), gateway.end_next(end));
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert_eq!(ended.stdout, format!("{id}  {said}\n"));
    }
    let id = gateway.accept(&client_create("A")).await;
    let ended = los(gateway.address, &["wait", &id, "--for", "1", "--json"]).await;
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(
        ended.stdout,
        format!("{{\"tracking_id\":\"{id}\",\"status\":\"processing\"}}\n")
    );
    gateway.end_next(done()).await;

    let arguments = [
        "operate",
        "LOAN_DELETE",
        "external_loan_id=L",
        "--wait",
        "60",
    ];
    let (ended, ()) = tokio::join!(
        los(gateway.address, &arguments),
        gateway.end_next(refused())
    );
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let lines: Vec<_> = ended.stdout.lines().collect();
    let [id, end] = lines.as_slice() else {
        panic!("two lines: {lines:?}");
    };
    assert_eq!(*end, format!("{id}  failed  refused"));
}

#[sqlx::test]
async fn the_example_of_the_readme_succeeds(pool: PgPool) {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme
        .split_once("fineract-gateway operate CLIENT_CREATE ")
        .expect("an example");
    let (plain, quoted) = example.split_once("\\\n").expect("two lines");
    let date = quoted.split('\'').nth(1).expect("a quoted argument");
    let arguments = ["operate", "CLIENT_CREATE", date, "--wait", "30"].into_iter();
    let arguments: Vec<_> = arguments.chain(plain.split_whitespace()).collect();
    let system = System::start(&pool).await;
    let gateway = system.gateway().await;
    let printed = printed(gateway.address, &arguments).await;
    assert!(printed.ends_with("  success\n"), "{printed}");
    assert!(gateway.shut_down().await);
}
