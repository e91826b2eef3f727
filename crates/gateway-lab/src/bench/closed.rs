//! Measures how many operations per second go from POST to end, and the peak memory of the gateway.

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    pgbench::{self, Inserts},
    table::Row,
};
use crate::load::Mix;

/// On one machine, `FastAPI` with Celery ended 300 operations per second, and `pgbench` inserted 23,230 rows per
/// second. The goal is ten times the ratio of these two numbers.
const GOAL: Milli = Milli(129);
/// The goal in operations per second, for a machine on which `pgbench` inserts 23,230 rows per second.
const GOAL_THERE: u64 = 3000;

/// Measures three loads in turn: the inserts of `pgbench`, creates of clients, and whole lifecycles. The creates and
/// the lifecycles run in a closed loop: each connection sends the next operation after the end of the last one.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("closed").await?;
    bed.start_gateway("all", "postgres").await?;
    bed.queue.run(pgbench::TABLE).await?;
    let url = bed.servers.url("postgres").await;
    let lasts = scale.seconds(10, 2);
    let mut plan = bed.plan(Mix::Lives, scale.seconds(5, 1))?;
    plan.follow = true;
    Bed::drive(&plan).await?;
    let bytes = u64::try_from(bed.queue.accepted_bytes().await?)?;
    let inserts = Inserts {
        url: &url,
        folder: &bed.folder,
        clients: scale.clients,
        lasts,
        row_bytes: bytes,
    };
    let [mut clients, mut lives, mut theirs, mut ratio] = [(); 4].map(|()| Samples::default());
    for _ in 0..scale.times() {
        bed.queue.run("CHECKPOINT").await?;
        let inserted = inserts.per_second().await?;
        theirs.push(inserted);
        for (mix, samples) in [(Mix::Clients, &mut clients), (Mix::Lives, &mut lives)] {
            bed.queue.run("CHECKPOINT").await?;
            let mut plan = bed.plan(mix, lasts)?;
            plan.follow = true;
            plan.connections = scale.clients;
            let ended = Milli::whole(Bed::drive(&plan).await?.per_second());
            samples.push(ended);
            if mix == Mix::Clients {
                ratio.push(Milli::ratio(ended.0, inserted.0));
            }
        }
    }
    let memory = bed.memory(0).await?;
    bed.clear().await?;
    let what = "operations/s from POST to ended";
    Ok(vec![
        Row::at_least(
            &format!("{what}, over `pgbench` (FastAPI + Celery: 300 over 23,230)"),
            &ratio,
            "",
            GOAL,
        )
        .note(&format!("{clients}/s over {theirs}/s")),
        Row::at_least(
            &format!("{what}, new clients, on this machine"),
            &clients,
            "/s",
            Milli::whole(GOAL_THERE),
        ),
        Row::stated(
            format!("{what}, lifecycles of client, loan, approval and disbursement"),
            format!("{lives}/s"),
        ),
        Row::at_most(
            "peak memory of the gateway under full load",
            &Milli(memory.peak).into(),
            " MB",
            Milli::whole(150),
        ),
    ])
}
