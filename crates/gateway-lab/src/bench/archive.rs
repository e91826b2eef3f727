//! Measures what an archive costs those who accept and claim, while more operations are archived.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    Scale,
    bed::Bed,
    claim::{self, COUNT},
    figures::{Milli, Samples},
    queue::Queue,
    table::Row,
    trust::RATE,
};

/// The number of archived rows that one statement writes.
const CHUNK: i64 = 100_000;
/// How many claims are measured in a round, and the pause between two of them.
const CLAIMS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// The names of the two databases: without an archive, and with one.
const DATABASES: [&str; 2] = ["postgres", "archived"];

/// What is measured on one database.
struct Measured {
    queue: Queue,
    accept: Samples,
    buffers: Samples,
    millis: Samples,
}

/// Compares a database without an archive with one that has an archive, and adds to it meanwhile. Both have equally many
/// ended operations in the hot tables.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("archive").await?;
    let [_, second] = DATABASES;
    let queues = [bed.queue.clone(), bed.another_queue(second).await?];
    let ended = scale.size(500_000, 20_000);
    for queue in &queues {
        queue.fill_history(1, ended).await?;
        queue.archive_by_hand().await?;
    }
    let archived = fill(&queues[1], scale.seconds(600, 3)).await?;
    for queue in &queues {
        queue.run("VACUUM ANALYZE").await?;
    }
    bed.queue.run("CHECKPOINT").await?;
    let mut both = queues.map(|queue| Measured {
        queue,
        accept: Samples::default(),
        buffers: Samples::default(),
        millis: Samples::default(),
    });
    let a_second = measure_accepts(&mut bed, scale, &mut both).await?;
    measure_claims(scale, &mut both).await?;
    bed.clear().await?;
    let what = format!(
        "{} archived operations, and {a_second} more each second",
        Milli::whole(archived.unsigned_abs())
    );
    let [none, full] = both;
    Ok([
        ("accept p99", "ms", full.accept, none.accept),
        ("claim", "buffers", full.buffers, none.buffers),
        ("claim", "ms", full.millis, none.millis),
    ]
    .into_iter()
    .map(|(measure, unit, full, none)| {
        let measure = format!("{what}: {measure} over that without an archive, in {unit}");
        Row::ratio(&measure, unit, &full, &none)
    })
    .collect())
}

/// Measures how long it takes to accept an operation. Returns how many were archived meanwhile, for each second.
async fn measure_accepts(
    bed: &mut Bed,
    scale: &Scale,
    [none, full]: &mut [Measured; 2],
) -> anyhow::Result<u64> {
    let mut gateways = [0; 2];
    for (gateway, database) in gateways.iter_mut().zip(DATABASES) {
        *gateway = bed.start_gateway("all", database).await?;
    }
    let lasts = scale.seconds(15, 3);
    let rate = scale.size(RATE, 50);
    let mut archived = 0;
    for time in 0..=scale.times() {
        let alone = bed.accept_p99(gateways[0], rate, lasts).await?;
        let accepting = bed.accept_p99(gateways[1], rate, lasts);
        let (beside, count) = full.queue.while_archiving(accepting).await?;
        // The first time warms everything up.
        if time > 0 {
            none.accept.push(alone);
            full.accept.push(beside);
            archived += count.unsigned_abs();
        }
    }
    for gateway in gateways {
        bed.kill(gateway).await?;
    }
    Ok(archived / u64::try_from(scale.times())? / lasts.as_secs())
}

/// Measures what a claim costs.
async fn measure_claims(scale: &Scale, [none, full]: &mut [Measured; 2]) -> anyhow::Result<()> {
    for measured in [&*none, &*full] {
        measured.queue.fill_due(2 * COUNT).await?;
    }
    for _ in 0..scale.times() {
        for measured in [&*none, &*full] {
            measured.queue.run("VACUUM ANALYZE operation").await?;
            measured.queue.run("CHECKPOINT").await?;
        }
        claim_some(none).await?;
        let queue = full.queue.clone();
        queue.while_archiving(claim_some(full)).await?;
    }
    Ok(())
}

/// Writes archived operations for this time. Returns how many.
async fn fill(queue: &Queue, lasts: Duration) -> anyhow::Result<i64> {
    let until = Instant::now() + lasts;
    let mut count = 0;
    while Instant::now() < until {
        queue.fill_archive(count + 1, count + CHUNK).await?;
        count += CHUNK;
    }
    Ok(count)
}

/// Measures some claims, and rolls them back.
async fn claim_some(measured: &mut Measured) -> anyhow::Result<()> {
    let claims = measured.queue.claims();
    let [mut buffers, mut millis] = [(); 2].map(|()| Samples::default());
    for _ in 0..CLAIMS {
        sleep(PAUSE).await;
        let (of_one, took) = claim::cost(&claims).await?;
        buffers.push(of_one);
        millis.push(took);
    }
    measured.buffers.push(buffers.median());
    measured.millis.push(millis.median());
    Ok(())
}
