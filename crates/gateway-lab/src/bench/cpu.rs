//! Measures the CPU time of gateway and Postgres for one operation of each type, from POST to end.

use std::time::Duration;

use super::{
    Scale,
    bed::{Bed, CLIENTS},
    figures::{Milli, Samples},
    table::Row,
};
use crate::load::{self, Mix};

/// The types in the order of a lifecycle, with the goals in microseconds.
const TYPES: [(Mix, &str, Option<Milli>); 4] = [
    (Mix::Clients, "CLIENT_CREATE", Some(Milli(1000))),
    (Mix::Loans, "LOAN_CREATE", None),
    (Mix::Approvals, "LOAN_APPROVE", None),
    (Mix::Disbursements, "LOAN_DISBURSE", Some(Milli(1500))),
];

/// Runs the lifecycles of many borrowers, one type after the other.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("cpu").await?;
    bed.start_gateway("all", "postgres").await?;
    let borrowers = scale.size(60, 4);
    let mut figures = [(); 4].map(|()| [(); 4].map(|()| Samples::default()));
    // The first run warms everything up.
    for time in 0..=scale.times() {
        let run = load::new_run();
        for ((mix, ..), [all, gateway, postgres, calls]) in TYPES.iter().zip(&mut figures) {
            let mut plan = bed.plan(*mix, Duration::from_mins(10))?;
            plan.borrowers = Some(borrowers);
            plan.run.clone_from(&run);
            let (gateway_before, postgres_before) = bed.cpu_micros().await?;
            let calls_before = bed.calls(0).await?;
            let operations = u64::try_from(Bed::drive(&plan).await?.count())?;
            bed.until_ended().await?;
            let (gateway_after, postgres_after) = bed.cpu_micros().await?;
            if time == 0 {
                continue;
            }
            let used = (
                gateway_after - gateway_before,
                postgres_after - postgres_before,
            );
            // Microseconds are thousandths of milliseconds.
            all.push(Milli((used.0 + used.1) / operations));
            gateway.push(Milli(used.0 / operations));
            postgres.push(Milli(used.1 / operations));
            calls.push(Milli::ratio(bed.calls(0).await? - calls_before, operations));
        }
    }
    bed.clear().await?;
    Ok(TYPES
        .iter()
        .zip(&figures)
        .map(|((_, name, goal), [all, gateway, postgres, calls])| {
            let measure = format!("CPU of gateway and Postgres for one {name}, from POST to ended");
            let note =
                format!("{gateway} + {postgres}, {calls} calls to Fineract, {CLIENTS} connections");
            match goal {
                Some(goal) => Row::at_most(&measure, all, " ms", *goal),
                None => Row::stated(measure, format!("{all} ms")),
            }
            .note(&note)
        })
        .collect())
}
