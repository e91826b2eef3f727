//! Measures track with many ended operations in the table, compared with a nearly empty table.

use std::time::Instant;

use anyhow::Context as _;

use super::{
    Scale,
    bed::{Bed, TOKEN},
    figures::{Milli, Samples, quantile},
    table::Row,
};
use fineract_gateway::domain::TrackingId;

/// The number of rows that one statement writes.
const CHUNK: i64 = 500_000;
/// The number of rows in the nearly empty table. The table cannot be empty, because the measure reads from it.
const FEW: i64 = 1_000;

/// A table, with its gateway and its measurements.
#[derive(Default)]
struct Table {
    url: String,
    ids: Vec<TrackingId>,
    p50: Samples,
    p99: Samples,
}

/// Reads from both tables in turn, and compares the times.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("track").await?;
    let many = scale.size(10_000_000, 200_000);
    let drawn = scale.size(5_000, 500);
    let mut tables = [Table::default(), Table::default()];
    for ((number, table), (rows, percent)) in tables
        .iter_mut()
        .enumerate()
        .zip([(FEW, 100.0), (many, scale.size(1.0, 50.0))])
    {
        let database = format!("track_{number}");
        let queue = bed.another_queue(&database).await?;
        for first in (1..=rows).step_by(usize::try_from(CHUNK)?) {
            queue.fill_ended(first, rows.min(first + CHUNK - 1)).await?;
        }
        queue.run("VACUUM ANALYZE").await?;
        queue.run("CHECKPOINT").await?;
        table.ids = queue.draw(percent, drawn).await?;
        let gateway = bed.start_gateway("api", &database).await?;
        table.url = bed.url(gateway)?;
    }
    for time in 0..=scale.times() {
        for table in &mut tables {
            let mut micros = read(&bed, table, usize::try_from(drawn)?).await?;
            if time > 0 {
                let at = |per_mille, micros: &mut [u64]| Milli(quantile(micros, per_mille));
                table.p50.push(at(500, &mut micros));
                table.p99.push(at(990, &mut micros));
            }
        }
    }
    bed.clear().await?;
    let [few, full] = &tables;
    let what = format!("track by id, {} ended", Milli::whole(many.unsigned_abs()));
    Ok([("p50", &full.p50, &few.p50), ("p99", &full.p99, &few.p99)]
        .into_iter()
        .map(|(which, full, few)| {
            let measure = format!("{what}, over an empty table: {which}");
            Row::ratio(&measure, "ms", full, few)
        })
        .collect())
}

/// Reads `count` operations one after the other. Returns how long each read took, in microseconds.
async fn read(bed: &Bed, table: &Table, count: usize) -> anyhow::Result<Vec<u64>> {
    let mut micros = Vec::with_capacity(count);
    for id in table.ids.iter().cycle().take(count) {
        let started = Instant::now();
        let answer = bed
            .http
            .get(format!("{}/fineract/track/{id}", table.url))
            .header("X-Internal-Token", TOKEN)
            .send()
            .await
            .context("the gateway does not answer")?;
        let body = answer.error_for_status()?.text().await?;
        anyhow::ensure!(body.contains("\"success\""), "{id} has not succeeded");
        micros.push(u64::try_from(started.elapsed().as_micros())?);
    }
    Ok(micros)
}
