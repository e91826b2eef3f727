//! `bench` measures the performance goals, each on private servers, and prints a table.
//!
//! | module | content |
//! | --- | --- |
//! | `accept`, `closed`, `cpu`, `idle`, `claim`, `long_transaction`, `track`, `polls`, `ops`, `events`, `trust`, `archive`, `drain`, `soak` | one measure each |
//! | `bed`, `queue`, `process`, `pgbench` | the test bed and the instruments |
//! | `figures`, `table` | the output |

mod accept;
mod archive;
mod bed;
mod claim;
mod closed;
mod cpu;
mod drain;
mod events;
mod figures;
mod idle;
mod long_transaction;
mod ops;
mod pgbench;
mod polls;
mod process;
mod queue;
mod soak;
mod table;
mod track;
mod trust;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use self::table::{HEAD, Row};

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Runs only these measures.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Measure>,
    /// Uses small sizes and short times. This only shows that the bench works: the measured values mean nothing.
    #[arg(long)]
    quick: bool,
    /// Sets the duration of `soak`, in minutes.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Sets the number of connections to the gateway, and of clients of `pgbench`, in the measures that compare the two
    /// [at most 150].
    #[arg(long, default_value_t = bed::CLIENTS, value_parser = clients)]
    clients: usize,
}

/// Reads the number of clients. Postgres accepts 200 connections; the limit leaves some of them to the gateway.
fn clients(text: &str) -> anyhow::Result<usize> {
    let clients = text.parse()?;
    anyhow::ensure!(
        (1..=150).contains(&clients),
        "the number must be from 1 to 150"
    );
    Ok(clients)
}

/// The measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// Acceptance, compared with `pgbench`, and its p99 at half that rate.
    Accept,
    /// Throughput from POST to end, and the gateway's peak memory.
    Closed,
    /// CPU time of an operation of each type.
    Cpu,
    /// Time from POST to end on an idle system.
    Idle,
    /// Claims with many waiting operations.
    Claim,
    /// Claims during a long transaction.
    LongTransaction,
    /// Track with many ended operations.
    Track,
    /// Many waiting long polls.
    Polls,
    /// The operators' lists with many operations.
    Ops,
    /// Webhooks: how fast events are delivered, and what waiting ones cost.
    Events,
    /// Many connections that do nothing useful.
    Trust,
    /// A large archive, while it grows. It is filled for ten minutes.
    Archive,
    /// A backlog that is run by one and by two processes.
    Drain,
    /// A long run at 70 % of the maximum load.
    Soak,
}

const ALL: [Measure; 14] = [
    Measure::Accept,
    Measure::Closed,
    Measure::Cpu,
    Measure::Idle,
    Measure::Claim,
    Measure::LongTransaction,
    Measure::Track,
    Measure::Polls,
    Measure::Ops,
    Measure::Events,
    Measure::Trust,
    Measure::Archive,
    Measure::Drain,
    Measure::Soak,
];

/// The sizes and durations of the measures.
#[derive(Clone, Copy, Debug)]
struct Scale {
    is_quick: bool,
    minutes: u64,
    clients: usize,
}

impl Scale {
    fn size<T>(&self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }

    fn seconds(&self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(self.size(full, quick))
    }

    /// How often each value is measured.
    fn times(&self) -> usize {
        self.size(5, 1)
    }
}

/// Runs the measures, and prints the table line by line. The exit code is 1 if a goal was missed.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let scale = Scale {
        is_quick: arguments.quick,
        minutes: arguments.minutes,
        clients: arguments.clients,
    };
    let measures = if arguments.only.is_empty() {
        ALL.to_vec()
    } else {
        arguments.only
    };
    anstream::println!("{HEAD}");
    let mut has_missed = false;
    for measure in measures {
        let started = Instant::now();
        for row in measure.run(&scale).await? {
            has_missed |= row.is_missed();
            anstream::println!("{}", row.markdown());
        }
        anstream::eprintln!("{measure:?} took {} s", started.elapsed().as_secs());
    }
    Ok(if has_missed && !scale.is_quick {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Measure {
    async fn run(self, scale: &Scale) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Accept => accept::measure(scale).await,
            Self::Closed => closed::measure(scale).await,
            Self::Cpu => cpu::measure(scale).await,
            Self::Idle => idle::measure(scale).await,
            Self::Claim => claim::measure(scale).await,
            Self::LongTransaction => long_transaction::measure(scale).await,
            Self::Track => track::measure(scale).await,
            Self::Polls => polls::measure(scale).await,
            Self::Ops => ops::measure(scale).await,
            Self::Events => events::measure(scale).await,
            Self::Trust => trust::measure(scale).await,
            Self::Archive => Box::pin(archive::measure(scale)).await,
            Self::Drain => drain::measure(scale).await,
            Self::Soak => soak::measure(scale).await,
        }
    }
}
