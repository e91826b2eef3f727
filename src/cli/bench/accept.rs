//! How fast operations are accepted, over what anyone can have of the same Postgres; and how long each takes.

use super::{
    Scale,
    bed::{Bed, CLIENTS},
    figures::{Milli, Samples},
    pgbench,
    table::Row,
};
use crate::cli::load::Mix;

/// Accepts and inserts by turns, then accepts at half the pace.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("accept").await?;
    bed.start_gateway("api", "postgres").await?;
    bed.queue.run(pgbench::TABLE).await?;
    let url = bed.servers.url("postgres").await;
    let lasts = scale.seconds(10, 2);
    // The first turn warms both up, and shows how large the rows are.
    let plan = bed.plan(Mix::Clients, scale.seconds(5, 1))?;
    Bed::drive(&plan).await?;
    let bytes = u64::try_from(bed.queue.accepted_bytes().await?)?;
    let (mut ours, mut theirs, mut ratio) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..scale.times() {
        bed.queue.run("CHECKPOINT").await?;
        let inserted =
            pgbench::inserts_per_second(&url, &bed.folder, CLIENTS, lasts, bytes).await?;
        bed.queue.run("CHECKPOINT").await?;
        let accepted = Bed::drive(&bed.plan(Mix::Clients, lasts)?).await?;
        let accepted = Milli::whole(accepted.per_second());
        ratio.push(Milli::ratio(accepted.0, inserted.0));
        ours.push(accepted);
        theirs.push(inserted);
    }
    let half = u32::try_from(ours.median().0 / 2000)?;
    let mut p99 = Samples::default();
    for _ in 0..scale.times() {
        let mut plan = bed.plan(Mix::Clients, lasts)?;
        plan.rate = Some(half);
        let report = Bed::drive(&plan).await?;
        p99.push(Milli(u64::from(report.accept_micros(990))));
    }
    bed.clear().await?;
    Ok(vec![
        Row::at_least(
            "accepted and durable operations/s over `pgbench` single-row inserts/s",
            &ratio,
            "",
            Milli::whole(2),
        )
        .note(&format!(
            "{ours}/s over {theirs}/s, {CLIENTS} clients, {bytes} bytes a row"
        )),
        Row::at_most(
            "accept p99 at half that load",
            &p99,
            " ms",
            Milli::whole(10),
        )
        .note(&format!("at {half}/s")),
    ])
}
