//! Operations that are put on hold immediately after their claim.

use sqlx::PgPool;

use super::{Bench, stuck::long_stuck};
use crate::support::fixtures::{
    LOAN_DONE, approve, of_loan, show_loan, shown_approved, shown_loan,
};

/// From now on, every operation is put on hold at the moment of its claim.
const HELD_ONCE_CLAIMED: &str = "
    CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.on_hold := true; RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE UPDATE ON operation
       FOR EACH ROW WHEN (OLD.state = 'ready' AND NEW.state = 'running') EXECUTE FUNCTION hold();
    CREATE TRIGGER hold_on_accept BEFORE INSERT ON operation
       FOR EACH ROW WHEN (NEW.state = 'running') EXECUTE FUNCTION hold()";

async fn hold_what_is_claimed(pool: &PgPool) {
    sqlx::raw_sql(HELD_ONCE_CLAIMED)
        .execute(pool)
        .await
        .unwrap();
}

#[sqlx::test]
async fn nothing_is_sent_for_it(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    hold_what_is_claimed(&bench.pool).await;
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    bench.eventually(&id, "ready", "handed_back").await;
    assert_eq!(bench.fake.commands(), []);
}

/// Before an undo, the gateway sends the keys of an approval that may come late. It must not do this for an operation
/// on hold.
#[sqlx::test]
async fn nor_are_the_keys_of_others_asked_for_it(pool: PgPool) {
    let bench = Bench::start(pool).await;
    show_loan(&bench.fake, &shown_loan(&[]));
    bench.fake.answers("command=approve", &["425c {}"]);
    let gateway = bench.gateway().await;
    let id = gateway.send("LOAN_APPROVE", approve("L-1")).await;
    let gateway = long_stuck(&bench, gateway, 400.0).await;
    bench.eventually(&id, "ready", "left_without_effect").await;
    bench
        .fake
        .answers("command=approve", &[LOAN_DONE, "425c {}"]);
    let end = bench.end_of(&gateway, &id).await;
    assert_eq!(end["status"], "success", "{end}");

    show_loan(&bench.fake, &shown_approved("gateway"));
    let before = bench.fake.commands().len();
    hold_what_is_claimed(&bench.pool).await;
    let undo = of_loan("L-1");
    let undo = gateway.send("LOAN_UNDO_APPROVAL", undo).await;
    bench.eventually(&undo, "ready", "on_hold").await;
    assert_eq!(bench.fake.commands().len(), before);
}
