//! `fineract-gateway keys`.

use serde_json::Value;
use sqlx::PgPool;

use super::{hear_of_changes, status};
use crate::support::{
    TestGateway,
    command::{Ended, run},
    database::url,
    eventually::eventually,
};

struct Keys {
    url: String,
}

impl Keys {
    async fn run(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["keys"], arguments].concat();
        run(&arguments, &[("DATABASE_URL", &self.url)]).await
    }

    /// Runs a command that must succeed and print one key as JSON.
    async fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("JSON")
    }
}

#[sqlx::test]
async fn keys_are_created_rotated_and_revoked_by_commands(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    let keys = Keys { url: url(&pool) };
    let created = keys
        .json(&[
            "create",
            "acme-los",
            "--kind",
            "internal_token",
            "--owner",
            "acme",
        ])
        .await;
    assert_eq!(created["owner"], "owner:acme");
    assert_eq!(created["created_by"], "the command line");
    assert_eq!(
        created["scopes"],
        serde_json::json!(["operate", "track", "webhooks"])
    );
    let first = created["secret"].as_str().expect("a secret").to_owned();
    hear_of_changes(&gateway).await;
    assert_eq!(status(&gateway, &first).await, 200);

    let shown = keys.json(&["show", "acme-los"]).await;
    assert_eq!(shown["id"], created["id"]);
    assert!(shown["secret"].is_null());
    let listed = keys.run(&["list"]).await.stdout;
    assert!(
        listed.contains("acme-los  owner:acme  internal_token"),
        "{listed}"
    );
    assert!(!listed.contains("fgk_"), "{listed}");

    let rotated = keys
        .json(&["rotate", "acme-los", "--overlap", "24h", "--by", "ann"])
        .await;
    let second = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(rotated["secrets"].as_array().map(Vec::len), Some(2));
    hear_of_changes(&gateway).await;
    assert_eq!(status(&gateway, &first).await, 200);
    assert_eq!(status(&gateway, &second).await, 200);

    let id = created["id"].as_str().expect("an id");
    let revoked = keys
        .json(&["revoke", id, "--reason", "leaked", "--by", "ann"])
        .await;
    assert_eq!(revoked["revoked_by"], "ann");
    eventually("the gateway refuses the key", async || {
        status(&gateway, &second).await == 401
    })
    .await;
    let again = keys.run(&["revoke", "acme-los"]).await;
    assert_eq!(again.code, Some(2));
    assert!(
        again.stderr.contains("There is no such key"),
        "{}",
        again.stderr
    );
    let audit: Vec<String> = sqlx::query_scalar(
        "SELECT concat_ws(' ', operator, action, reason) FROM audit WHERE operator <> 'admin' ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .expect("the database is there");
    let expected = [
        "the command line create_key",
        "ann rotate_key",
        "ann revoke_key leaked",
    ];
    assert_eq!(audit, expected);
}

#[sqlx::test]
async fn a_wrong_argument_is_named(pool: PgPool) {
    let keys = Keys { url: url(&pool) };
    let ended = keys
        .run(&[
            "create", "a b", "--kind", "api_key", "--scopes", "bulk", "--rate", "0",
        ])
        .await;
    assert_eq!(ended.code, Some(2));
    for named in ["name must be", "scopes must be", "rate must be"] {
        assert!(ended.stderr.contains(named), "{}", ended.stderr);
    }
    let ended = keys.run(&["rotate", "x", "--overlap", "31d"]).await;
    assert!(ended.stderr.contains("at most 30d"), "{}", ended.stderr);
}
