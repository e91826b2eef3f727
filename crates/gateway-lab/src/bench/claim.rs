//! Measures the cost of a claim with many waiting operations, compared with the same claim from a queue without
//! other waiting operations.

use std::{collections::HashMap, time::Duration};

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    queue::{Claims, Queue},
    table::Row,
};
use fineract_gateway::{operations, store::ClaimLimits};

/// The number of operations in a claim.
pub(super) const COUNT: i64 = 32;

/// A queue, and the cost of its claims.
struct Measured {
    rows: Queue,
    buffers: Samples,
    millis: Samples,
}

/// Claims from three queues in turn. All three have equally large tables: a queue with fewer waiting operations has
/// more ended operations.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let bed = Bed::make("claim").await?;
    let waiting: i64 = scale.size(1_000_000, 20_000);
    let in_one_lane: i64 = scale.size(100_000, 10_000);
    let mut queues = Vec::new();
    for (name, ended, due, in_lane) in [
        ("few", waiting, COUNT, 0),
        ("million", 0, waiting + COUNT, 0),
        ("lane", waiting - in_one_lane, COUNT, in_one_lane),
    ] {
        let rows = bed.another_queue(name).await?;
        rows.fill_ended(waiting + 1, waiting + ended).await?;
        rows.fill_due(due).await?;
        rows.fill_lane(in_lane).await?;
        queues.push(Measured {
            rows,
            buffers: Samples::default(),
            millis: Samples::default(),
        });
    }
    for time in 0..=2 * scale.times() {
        for queue in &mut queues {
            explain(queue, time > 0).await?;
        }
    }
    bed.clear().await?;
    let [few, million, lane] = queues.as_slice() else {
        anyhow::bail!("a queue is missing");
    };
    let number = |count: i64| Milli::whole(count.unsigned_abs());
    let much = [
        (million, format!("{} waiting", number(waiting))),
        (lane, format!("{} in one lane", number(in_one_lane))),
    ];
    let rows = much.iter().flat_map(|(queue, what)| {
        let claim = format!("claim of {COUNT} with {what}");
        [
            compare(&claim, "buffers", &queue.buffers, &few.buffers),
            compare(&claim, "ms", &queue.millis, &few.millis),
        ]
    });
    Ok(rows.collect())
}

async fn explain(queue: &mut Measured, counts: bool) -> anyhow::Result<()> {
    // `explain_claim` rolls the claim back. The vacuum removes the dead rows of that claim, because they would slow
    // down the next claim. After a checkpoint, Postgres writes each page as a whole when the page changes for the first
    // time. The vacuum causes these writes, so they are not part of the measured claim.
    queue.rows.run("CHECKPOINT").await?;
    queue.rows.run("VACUUM ANALYZE").await?;
    let (buffers, millis) = cost(&queue.rows.claims()).await?;
    if counts {
        queue.buffers.push(buffers);
        queue.millis.push(millis);
    }
    Ok(())
}

/// What a claim of [`COUNT`] operations costs: buffers and milliseconds. The claim is rolled back. Fails if fewer operations
/// are due.
pub(super) async fn cost(claims: &Claims) -> anyhow::Result<(Milli, Milli)> {
    let cost = claims.explain_claim(&limits(COUNT)).await?;
    let brought = cost.rows;
    anyhow::ensure!(
        brought == COUNT.unsigned_abs(),
        "{brought} operations were claimed"
    );
    let millis = Milli::parse(&cost.millis).unwrap_or_default();
    Ok((Milli::whole(cost.buffers), millis))
}

fn compare(claim: &str, unit: &str, much: &Samples, few: &Samples) -> Row {
    let measure = format!("{claim}, over an empty queue beside as many ended: {unit}");
    Row::ratio(&measure, unit, much, few)
}

/// The limits of a claim of up to `count` operations of any type.
pub(super) fn limits(count: i64) -> ClaimLimits {
    ClaimLimits {
        count,
        lease: Duration::from_mins(1),
        types: operations::REGISTRY
            .iter()
            .map(|entry| entry.operation_type.as_str().to_owned())
            .collect(),
        leased_by_lender: HashMap::new(),
        per_lender: 2,
        lenders: Vec::new(),
    }
}
