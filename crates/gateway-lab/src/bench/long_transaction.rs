//! Measures the cost of a claim while another transaction stays open for a long time, as during `pg_dump`. As long as
//! that transaction is open, Postgres cannot remove dead rows.

use anyhow::ensure;

use super::{
    Scale,
    bed::Bed,
    claim::limits,
    figures::{Milli, Samples},
    queue::Queue,
    table::Row,
};

/// The maximum number of operations in a claim. The measured claims find none, because no operation is due.
const COUNT: i64 = 32;

/// Runs operations during a long transaction. Measures claims during that transaction, and again after it.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("long-transaction").await?;
    let ended = scale.size(12_800, 640);
    bed.queue.fill_due(ended).await?;
    bed.queue.run("VACUUM ANALYZE").await?;
    let long = bed.queue.open_long_transaction().await?;
    let worker = bed.start_gateway("worker", "postgres").await?;
    bed.until_ended().await?;
    bed.kill(worker).await?;
    let beside = Claims::explain(&bed.queue, scale).await?;
    drop(long);
    bed.queue.run("VACUUM ANALYZE").await?;
    let after = Claims::explain(&bed.queue, scale).await?;
    bed.clear().await?;
    let what = format!(
        "claim with nothing due, when {} ended during an open transaction",
        Milli::whole(ended.unsigned_abs())
    );
    let buffers = Row::at_most(
        &format!("{what}: buffers"),
        &beside.next.0,
        "",
        Milli::whole(16),
    );
    Ok(vec![
        buffers.note(&format!(
            "{} after it; every 4 s {} and {}",
            after.next.0, beside.whole.0, after.whole.0
        )),
        Row::stated(
            format!("{what}: ms"),
            format!(
                "{}, {} after it; every 4 s {} and {}",
                beside.next.1, after.next.1, beside.whole.1, after.whole.1
            ),
        ),
    ])
}

/// The cost of claims, each in buffers and in milliseconds. `whole` is for claims that search from the beginning of the
/// due operations, and `next` for claims that continue where the claim before them stopped.
#[derive(Default)]
struct Claims {
    whole: (Samples, Samples),
    next: (Samples, Samples),
}

impl Claims {
    async fn explain(queue: &Queue, scale: &Scale) -> anyhow::Result<Self> {
        let limits = limits(COUNT);
        let mut claims = Self::default();
        for _ in 0..scale.times() {
            let worker = queue.claims();
            for cost in [&mut claims.whole, &mut claims.next] {
                let explained = worker.explain_claim(&limits).await?;
                cost.0.push(Milli::whole(explained.buffers));
                cost.1
                    .push(Milli::parse(&explained.millis).unwrap_or_default());
                ensure!(worker.claim(&limits).await? == 0, "something is due");
            }
        }
        Ok(claims)
    }
}
