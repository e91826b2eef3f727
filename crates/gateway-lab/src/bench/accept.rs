//! Measures throughput and latency of acceptance, compared with `pgbench` on the same Postgres.

use std::fmt;

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    pgbench::{self, Inserts},
    process,
    table::Row,
};
use crate::load::{Mix, Plan};

/// Runs acceptance and the inserts of `pgbench` in turn: first as fast as possible, then at half the measured rate of
/// acceptance.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("accept").await?;
    bed.start_gateway("api", "postgres").await?;
    bed.queue.run(pgbench::TABLE).await?;
    let url = bed.servers.url("postgres").await;
    let lasts = scale.seconds(10, 2);
    // The first run warms everything up. It also shows how large the rows of an operation are.
    let clients = scale.clients;
    let plan = |lasts| {
        let plan = bed.plan(Mix::Clients, lasts)?;
        anyhow::Ok(Plan {
            connections: clients,
            ..plan
        })
    };
    Bed::drive(&plan(scale.seconds(5, 1))?).await?;
    let bytes = u64::try_from(bed.queue.accepted_bytes().await?)?;
    let inserts = Inserts {
        url: &url,
        folder: &bed.folder,
        clients,
        lasts,
        row_bytes: bytes,
    };
    let [mut ours, mut theirs, mut ratio] = [(); 3].map(|()| Samples::default());
    let mut cost = Cost::default();
    for _ in 0..scale.times() {
        bed.queue.run("CHECKPOINT").await?;
        let inserted = inserts.per_second().await?;
        bed.queue.run("CHECKPOINT").await?;
        let before = Cost::so_far(&bed).await?;
        let accepted = Bed::drive(&plan(lasts)?).await?;
        cost.add(&before, &Cost::so_far(&bed).await?, accepted.count());
        let accepted = Milli::whole(accepted.per_second());
        ratio.push(Milli::ratio(accepted.0, inserted.0));
        ours.push(accepted);
        theirs.push(inserted);
    }
    let half = u32::try_from(ours.median().0 / 2000)?;
    let [mut p99, mut their_p99] = [(); 2].map(|()| Samples::default());
    for _ in 0..scale.times() {
        bed.queue.run("CHECKPOINT").await?;
        their_p99.push(inserts.p99_at(half).await?);
        bed.queue.run(pgbench::NO_ROWS).await?;
        let mut plan = plan(lasts)?;
        plan.rate = Some(half);
        bed.queue.run("CHECKPOINT").await?;
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
            "{ours}/s over {theirs}/s, {clients} clients, {bytes} bytes a row; CPU an operation: {cost}"
        )),
        Row::at_most(
            "accept p99 at half that load",
            &p99,
            " ms",
            Milli::whole(10),
        )
        .note(&format!("at {half}/s, where `pgbench`'s is {their_p99} ms")),
    ])
}

/// CPU time in microseconds, and the number of operations that used it.
#[derive(Debug, Default)]
struct Cost {
    gateway: u64,
    postgres: u64,
    load: u64,
    operations: u64,
}

impl Cost {
    async fn so_far(bed: &Bed) -> anyhow::Result<Self> {
        let (gateway, postgres) = bed.cpu_micros().await?;
        Ok(Self {
            gateway,
            postgres,
            load: process::cpu_micros(std::process::id())?,
            operations: 0,
        })
    }

    fn add(&mut self, before: &Self, after: &Self, operations: usize) {
        self.gateway += after.gateway - before.gateway;
        self.postgres += after.postgres - before.postgres;
        self.load += after.load - before.load;
        self.operations += u64::try_from(operations).unwrap_or(u64::MAX);
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |micros: u64| micros / self.operations.max(1);
        write!(
            f,
            "gateway {} µs, Postgres {} µs, the load itself {} µs",
            each(self.gateway),
            each(self.postgres),
            each(self.load)
        )
    }
}
