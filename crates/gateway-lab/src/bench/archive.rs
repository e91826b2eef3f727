//! Measures what an archive costs those who accept and claim, while more operations are archived.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    Scale,
    bed::Bed,
    claim::{COUNT, limits},
    figures::{Milli, Samples},
    queue::Queue,
    table::Row,
    trust::RATE,
};
use crate::load::{Mix, Plan};

/// The number of archived rows that one statement writes.
const CHUNK: i64 = 100_000;
/// How many claims are measured in a round, and the pause between two of them.
const CLAIMS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

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
    let databases = ["postgres", "archived"];
    let queues = [bed.queue.clone(), bed.another_queue("archived").await?];
    let ended = scale.size(500_000, 20_000);
    for queue in &queues {
        queue.fill_history(1, ended).await?;
        queue.archive_by_hand().await?;
    }
    let [_, full] = &queues;
    let archived = fill(full, scale.seconds(600, 3)).await?;
    for queue in &queues {
        queue.run("VACUUM ANALYZE").await?;
    }
    bed.queue.run("CHECKPOINT").await?;
    let [mut none, mut full] = queues.map(|queue| Measured {
        queue,
        accept: Samples::default(),
        buffers: Samples::default(),
        millis: Samples::default(),
    });
    let mut gateways = [0; 2];
    for (gateway, database) in gateways.iter_mut().zip(databases) {
        *gateway = bed.start_gateway("all", database).await?;
    }
    let lasts = scale.seconds(15, 3);
    let accept = async |gateway: usize| {
        let plan = Plan {
            url: bed.url(gateway)?,
            rate: Some(scale.size(RATE, 50)),
            ..bed.plan(Mix::Clients, lasts)?
        };
        let report = Bed::drive(&plan).await?;
        anyhow::Ok(Milli(u64::from(report.accept_micros(990))))
    };
    let mut meanwhile = 0;
    for time in 0..=scale.times() {
        let alone = accept(gateways[0]).await?;
        let (beside, count) = full.queue.while_archiving(accept(gateways[1])).await?;
        // The first time warms everything up.
        if time > 0 {
            none.accept.push(alone);
            full.accept.push(beside);
            meanwhile += count;
        }
    }
    for gateway in gateways {
        bed.kill(gateway).await?;
    }
    for measured in [&none, &full] {
        measured.queue.fill_due(2 * COUNT).await?;
    }
    for _ in 0..scale.times() {
        for measured in [&none, &full] {
            measured.queue.run("VACUUM ANALYZE operation").await?;
            measured.queue.run("CHECKPOINT").await?;
        }
        claims(&mut none).await?;
        let queue = full.queue.clone();
        queue.while_archiving(claims(&mut full)).await?;
    }
    bed.clear().await?;
    let a_second = meanwhile.unsigned_abs() / scale.times() as u64 / lasts.as_secs();
    let what = format!(
        "{} archived operations, and {a_second} more each second",
        Milli::whole(archived.unsigned_abs())
    );
    Ok([
        ("accept p99", " ms", &full.accept, &none.accept),
        ("claim", " buffers", &full.buffers, &none.buffers),
        ("claim", " ms", &full.millis, &none.millis),
    ]
    .into_iter()
    .map(|(measure, unit, full, none)| {
        let ratio = Milli::ratio(full.median().0, none.median().0);
        Row::at_most(
            &format!("{what}: {measure} over that without an archive, in{unit}"),
            &ratio.into(),
            "",
            Milli(1200),
        )
        .note(&format!("{full}{unit} over {none}{unit}"))
    })
    .collect())
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
async fn claims(measured: &mut Measured) -> anyhow::Result<()> {
    let claims = measured.queue.claims();
    let [mut buffers, mut millis] = [(); 2].map(|()| Samples::default());
    for _ in 0..CLAIMS {
        sleep(PAUSE).await;
        let cost = claims.explain_claim(&limits(COUNT)).await?;
        anyhow::ensure!(
            cost.rows == COUNT.unsigned_abs(),
            "{} operations were claimed",
            cost.rows
        );
        buffers.push(Milli::whole(cost.buffers));
        millis.push(Milli::parse(&cost.millis).unwrap_or_default());
    }
    measured.buffers.push(buffers.median());
    measured.millis.push(millis.median());
    Ok(())
}
