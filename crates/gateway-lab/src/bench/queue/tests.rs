//! The cost of claims during a long transaction, as the bench measures it, on a small queue.

use sqlx::PgPool;

use super::Queue;
use crate::bench::claim::limits;

#[sqlx::test(migrations = "../../migrations")]
async fn what_ended_beside_it_makes_no_claim_dear(pool: PgPool) {
    let all = limits(2_000);
    let few = limits(32);
    let queue = Queue::new(pool);
    queue.fill_due(all.count).await.unwrap();
    // A claim also searches again among the operations that became due within the last second. The update below
    // excludes such operations.
    queue
        .run("UPDATE operation SET due_at = now() - interval '1 minute'")
        .await
        .unwrap();
    queue.run("VACUUM ANALYZE").await.unwrap();
    let worker = queue.claims();
    let long = queue.open_long_transaction().await.unwrap();
    assert_eq!(worker.claim(&all).await.unwrap(), 2_000);
    queue
        .run("UPDATE operation SET state = 'succeeded', due_at = NULL, ended_at = now()")
        .await
        .unwrap();

    // The first claim of a new worker has to skip all dead rows.
    let worker = queue.claims();
    let whole = worker.explain_claim(&few).await.unwrap().buffers;
    assert!(
        whole > 100,
        "{whole} buffers: the open transaction keeps no dead rows"
    );
    assert_eq!(worker.claim(&few).await.unwrap(), 0);
    let next = worker.explain_claim(&few).await.unwrap().buffers;
    assert!(next < 20, "{next} buffers");
    drop(long);
}
