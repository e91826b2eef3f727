//! Runs at 70 % of the maximum load for a long time, and measures whether anything becomes slower or grows too much.

use std::time::Duration;

use super::{
    Scale,
    bed::{Bed, CLIENTS},
    figures::{Milli, Samples},
    table::Row,
};
use crate::load::Mix;

/// The number of parts into which the run is divided. The first part and the last part are compared.
const PARTS: u32 = 6;

/// The measurements of one part.
#[derive(Debug)]
struct Part {
    accept: Milli,
    end: Milli,
    bytes_an_operation: Milli,
    hot_bytes: Milli,
}

/// Measures the maximum rate, and then runs at 70 % of that rate.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("soak").await?;
    bed.start_gateway("all", "postgres").await?;
    let mut plan = bed.plan(Mix::Lives, scale.seconds(120, 2))?;
    plan.follow = true;
    let rate = u32::try_from(Bed::drive(&plan).await?.per_second() * 7 / 10)?;
    let lasts = scale.size(
        Duration::from_secs(60 * scale.minutes),
        Duration::from_secs(12),
    );
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        parts.push(part(&bed, rate, lasts / PARTS).await?);
    }
    bed.clear().await?;
    let what = format!(
        "{} min at {rate}/s, 70 % load, last part over the first",
        lasts.as_secs() / 60
    );
    let compare = |name: &str, unit: &str, figure: fn(&Part) -> Milli| {
        let figures: Vec<Milli> = parts.iter().map(figure).collect();
        let (first, last) = (figures.first(), figures.last());
        let [first, last] = [first, last].map(|figure| figure.copied().unwrap_or_default());
        let all: Vec<String> = figures.iter().map(Milli::to_string).collect();
        let ratio = Samples::from(Milli::ratio(last.0, first.0));
        Row::at_most(&format!("{what}: {name}"), &ratio, "", Milli(1200))
            .note(&format!("{} {unit}", all.join(", ")))
    };
    Ok(vec![
        compare("accept p99", "ms", |part| part.accept),
        compare("submit → ended p99", "ms", |part| part.end),
        compare("growth of the database by an operation", "bytes", |part| {
            part.bytes_an_operation
        }),
        compare(
            "lane entries and the indexes of due operations",
            "bytes",
            |part| part.hot_bytes,
        ),
    ])
}

async fn part(bed: &Bed, rate: u32, lasts: Duration) -> anyhow::Result<Part> {
    // Empties the sandbox, because the growth of the sandbox's memory is not part of the measurement.
    let reset = format!("http://{}/sandbox/reset", bed.servers.sandbox_address());
    bed.http.post(reset).send().await?.error_for_status()?;
    let (before, _) = bed.queue.sizes().await?;
    let mut plan = bed.plan(Mix::Lives, lasts)?;
    plan.rate = Some(rate);
    plan.follow = true;
    // Most connections wait for the end of an operation. With this many connections, an operation that is due need not
    // wait for a free connection.
    plan.connections = 8 * CLIENTS;
    let report = Bed::drive(&plan).await?;
    let (after, hot) = bed.queue.sizes().await?;
    let operations = u64::try_from(report.count())?.max(1);
    Ok(Part {
        accept: Milli(u64::from(report.accept_micros(990))),
        end: Milli(u64::from(report.end_micros(990))),
        bytes_an_operation: Milli::whole((after - before).unsigned_abs() / operations),
        hot_bytes: Milli::whole(hot.unsigned_abs()),
    })
}
