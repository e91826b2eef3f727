//! An action on all operations that match a filter.

use serde_json::Value;
use sqlx::PgPool;

use super::{ops, printed};
use crate::support::{OPS_TOKEN, fixtures::client, system::System};

#[sqlx::test]
async fn a_repair_is_previewed_expected_and_followed(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("OPS_TOKENS", &format!("admin={OPS_TOKEN}"));
    let gateway = system.gateway().await;
    for number in 0..3 {
        // All clients have the same mobile number, so Fineract refuses all but the first.
        let mut data = client(&format!("C-{number}"));
        data["mobileNo"] = "9999999999".into();
        gateway.run("CLIENT_CREATE", data).await;
    }
    let (address, of_failed) = (
        gateway.address,
        ["--where", "state=failed", "--where", "type=CLIENT_CREATE"],
    );
    let retry = |more: &[&'static str]| {
        let arguments = [
            &["retry"],
            &of_failed[..],
            &["--reason", "the number is free"],
            more,
        ];
        arguments.concat()
    };

    let preview = printed(address, &retry(&["--dry-run"])).await;
    assert!(
        preview.starts_with("2 operations match\n  CLIENT_CREATE|"),
        "{preview}"
    );
    let preview = printed(address, &retry(&["--dry-run", "--json"])).await;
    let preview: Value = serde_json::from_str(&preview).expect("JSON");
    assert_eq!(preview["matches"], 2);
    assert_eq!(
        printed(address, &["repair"]).await,
        "",
        "a dry run starts nothing"
    );

    let refused = ops(address, &retry(&["--expected", "1"])).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("too_many_match"),
        "{}",
        refused.stderr
    );

    let done = printed(address, &retry(&["--expected", "2"])).await;
    assert!(
        done.contains("retry done: 2 of 2 done, 0 changed meanwhile, 0 refused, 0 left"),
        "{done}"
    );
    let id = done.split(' ').next().expect("an id");
    assert_eq!(printed(address, &["repair"]).await, done);
    assert_eq!(printed(address, &["repair", id]).await, done);
    let shown = printed(address, &["repair", id, "--json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(
        (&shown["reason"], &shown["operator"]),
        (&"the number is free".into(), &"admin".into())
    );

    let stopped = ops(address, &["repair", id, "--stop"]).await;
    assert_eq!(stopped.code, Some(2), "stopping needs a reason");
    assert!(stopped.stderr.contains("--reason"), "{}", stopped.stderr);
}
