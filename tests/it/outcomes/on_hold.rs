//! What is put on hold just after it was claimed.

use serde_json::json;
use sqlx::PgPool;

use super::{Bench, LOAN_DONE, approve, approved_by, loan, stands, stuck::long_stuck};

/// Whatever is claimed from now on is put on hold in the moment of its claim.
const HELD_ONCE_CLAIMED: &str = "
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.on_hold := true; RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE UPDATE ON operation
       FOR EACH ROW WHEN (OLD.state = 'ready' AND NEW.state = 'running') EXECUTE FUNCTION hold()";

async fn hold_what_is_claimed(pool: &PgPool) {
    sqlx::raw_sql(HELD_ONCE_CLAIMED)
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test]
async fn nothing_is_sent_for_it(pool: PgPool) {
    let bench = Bench::start(pool).await;
    stands(&bench.fake, &loan(&[]));
    hold_what_is_claimed(&bench.pool).await;
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve()).await;
    bench.until(&id, "ready", "handed_back").await;
    assert_eq!(bench.fake.commands(), []);
}

/// Before an undo, the keys of an approval that may come late are asked: that sends its commands.
#[sqlx::test]
async fn nor_are_the_keys_of_others_asked_for_it(pool: PgPool) {
    let bench = Bench::start(pool).await;
    stands(&bench.fake, &loan(&[]));
    bench.fake.answers("command=approve", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve()).await;
    let gateway = long_stuck(&bench, gateway, 400.0).await;
    bench.until(&id, "ready", "left_without_effect").await;
    bench
        .fake
        .answers("command=approve", &[LOAN_DONE, "425c {}"]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");

    stands(&bench.fake, &approved_by("gateway"));
    let before = bench.fake.commands().len();
    hold_what_is_claimed(&bench.pool).await;
    let undo = json!({ "external_loan_id": "L-1" });
    let undo = gateway.send("LOAN_UNDO_APPROVAL", undo).await;
    bench.until(&undo, "ready", "on_hold").await;
    assert_eq!(bench.fake.commands().len(), before);
}
