//! What a claim costs with much waiting, over the same claim with nothing else in the queue.

use std::{collections::HashMap, time::Duration};

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    queue::Queue,
    table::Row,
};
use fineract_gateway::{operations, store::ClaimLimits};

/// How many operations a claim brings.
const COUNT: i64 = 32;

/// A queue, and what its claims cost.
struct Measured {
    rows: Queue,
    buffers: Samples,
    millis: Samples,
}

/// Claims from three queues by turns. Their tables are equally large: what does not wait has ended.
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
    // What was rolled back would be met again. The vacuum also writes the pages that come into the log as a
    // whole when a checkpoint is over: that is no claim's cost.
    queue.rows.run("CHECKPOINT").await?;
    queue.rows.run("VACUUM ANALYZE").await?;
    let cost = queue.rows.claims().explain_claim(&limits(COUNT)).await?;
    let brought = cost.rows;
    anyhow::ensure!(brought == COUNT.unsigned_abs(), "{brought} were claimed");
    if counts {
        queue.buffers.push(Milli::whole(cost.buffers));
        queue
            .millis
            .push(Milli::parse(&cost.millis).unwrap_or_default());
    }
    Ok(())
}

fn compare(claim: &str, unit: &str, much: &Samples, few: &Samples) -> Row {
    let ratio = Milli::ratio(much.median().0, few.median().0);
    let measure = format!("{claim}, over an empty queue beside as many ended: {unit}");
    Row::at_most(&measure, &ratio.into(), "", Milli(1200))
        .note(&format!("{much} {unit} over {few} {unit}"))
}

/// A claim of up to so many, whatever they are.
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
