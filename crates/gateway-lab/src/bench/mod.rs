//! `bench`: the goals of speed, each measured on servers of its own, as a table.
//!
//! | module | owns |
//! | --- | --- |
//! | `accept`, `closed`, `cpu`, `idle`, `claim`, `long_transaction`, `track`, `polls`, `drain`, `soak` | a measure each |
//! | `bed`, `process`, `pgbench` | what is measured, and with what |
//! | `figures`, `table` | what is printed |

mod accept;
mod bed;
mod claim;
mod closed;
mod cpu;
mod drain;
mod figures;
mod idle;
mod long_transaction;
mod pgbench;
mod polls;
mod process;
mod queue;
mod soak;
mod table;
mod track;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use self::table::{HEAD, Row};

/// The arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Measures these alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Measure>,
    /// Small sizes and short times: shows that it works; the figures say nothing.
    #[arg(long)]
    quick: bool,
    /// How long the long one takes.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Requests at once, and clients of `pgbench`, where the two are compared; Postgres takes 200.
    #[arg(long, default_value_t = bed::CLIENTS, value_parser = clients)]
    clients: usize,
}

/// Reads how many clients; beside them, the gateway has connections too.
fn clients(text: &str) -> anyhow::Result<usize> {
    let clients = text.parse()?;
    anyhow::ensure!((1..=150).contains(&clients), "1 to 150");
    Ok(clients)
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// Accepting, over `pgbench`; and its p99 at half the pace.
    Accept,
    /// From POST to ended, as fast as it goes; the gateway's memory then.
    Closed,
    /// CPU an operation.
    Cpu,
    /// From POST to ended on an idle system.
    Idle,
    /// The claim, with much waiting.
    Claim,
    /// The claim, beside a transaction that stays open.
    LongTransaction,
    /// Reading by id, with many ended operations.
    Track,
    /// Many long polls.
    Polls,
    /// Working off a backlog.
    Drain,
    /// A long time at 70 % load.
    Soak,
}

const ALL: [Measure; 10] = [
    Measure::Accept,
    Measure::Closed,
    Measure::Cpu,
    Measure::Idle,
    Measure::Claim,
    Measure::LongTransaction,
    Measure::Track,
    Measure::Polls,
    Measure::Drain,
    Measure::Soak,
];

/// How large and how long.
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

    /// How often each thing is measured.
    fn times(&self) -> usize {
        self.size(5, 1)
    }
}

/// Measures, and prints the table line by line; 1 where a goal was missed.
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
            Self::Drain => drain::measure(scale).await,
            Self::Soak => soak::measure(scale).await,
        }
    }
}
