//! Measures the time from submission to end on an idle system.

use std::time::Duration;

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    table::Row,
};
use crate::load::Mix;

/// Runs one operation after the other.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("idle").await?;
    bed.start_gateway("all", "postgres").await?;
    let (mut p50, mut p99) = (Samples::default(), Samples::default());
    for time in 0..=scale.times() {
        let mut plan = bed.plan(Mix::Clients, Duration::from_mins(10))?;
        plan.follow = true;
        plan.connections = 1;
        plan.borrowers = Some(scale.size(1000, 100));
        let report = Bed::drive(&plan).await?;
        if time > 0 {
            p50.push(Milli(u64::from(report.end_micros(500))));
            p99.push(Milli(u64::from(report.end_micros(990))));
        }
    }
    bed.clear().await?;
    let measure = "submit → ended on an idle system";
    Ok(vec![
        Row::at_most(&format!("{measure}, p50"), &p50, " ms", Milli::whole(5)),
        Row::at_most(&format!("{measure}, p99"), &p99, " ms", Milli::whole(15)),
    ])
}
