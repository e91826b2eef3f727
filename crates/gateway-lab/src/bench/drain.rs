//! Measures how fast one gateway process and two gateway processes run a backlog.

use std::time::{Duration, Instant};

use super::{
    Scale,
    bed::{Bed, CLIENTS},
    figures::{Milli, Samples},
    table::Row,
};
use crate::load::Mix;

/// The number of operations of one borrower.
const OPERATIONS_PER_BORROWER: usize = 4;

/// Runs the same backlog with each number of gateways.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let borrowers = scale.size(100_000, 2_000) / OPERATIONS_PER_BORROWER / CLIENTS + 1;
    let mut rows = Vec::new();
    for gateways in [1, 2] {
        let mut bed = Bed::make("drain").await?;
        let api = bed.start_gateway("api", "postgres").await?;
        let mut plan = bed.plan(Mix::Lives, Duration::from_mins(10))?;
        plan.borrowers = Some(borrowers);
        let backlog = u64::try_from(Bed::drive(&plan).await?.count())?;
        bed.kill(api).await?;
        bed.queue.run("VACUUM ANALYZE").await?;
        bed.queue.run("CHECKPOINT").await?;
        let started = Instant::now();
        for _ in 0..gateways {
            bed.start_gateway("worker", "postgres").await?;
        }
        bed.until_ended().await?;
        let micros = u64::try_from(started.elapsed().as_micros())?;
        let out_of_order = bed.queue.out_of_order().await?.unsigned_abs();
        bed.clear().await?;
        let what = format!(
            "drain of a backlog of {} by {gateways} gateway process{}",
            Milli::whole(backlog),
            if gateways == 1 { "" } else { "es" },
        );
        let per_second = Milli::ratio(backlog * 1_000_000, micros);
        rows.push(Row::stated(&what, format!("{per_second}/s")));
        rows.push(Row::at_most(
            &format!("{what}: sent out of their lanes' order"),
            &Samples::from(Milli::whole(out_of_order)),
            "",
            Milli::default(),
        ));
    }
    Ok(rows)
}
