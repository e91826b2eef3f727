//! `prove` injects faults into gateways under load, and checks that no rule of the judge is violated.
//!
//! | module | content |
//! | --- | --- |
//! | `system`, `fineract`, `oversight` | the system under test: Postgres, the sandbox, gateway processes |
//! | `plan`, `case`, `scenarios`, `impatient`, `encounters`, `requests`, `faults`, `sandbox_faults` | what a round does, derived from the seed alone |
//! | `caller`, `batch`, `poller`, `track`, `receiver`, `chaos`, `checkers`, `neighbours`, `late_writer`, `actions` | the execution of the plan |
//! | `round`, `judge`, `ledger`, `webhooks` | the collection and the comparison of the records of a round |
//! | `upgrade` | rounds with the gateways of two releases |
//! | `tally`, `report` | the counts over all rounds, and the final report |

mod actions;
mod batch;
mod caller;
mod case;
mod chaos;
mod checkers;
mod encounters;
mod failures_read;
mod faults;
mod fineract;
mod impatient;
mod judge;
mod late_writer;
mod ledger;
mod neighbours;
mod oversight;
mod plan;
mod poller;
mod receiver;
mod report;
mod requests;
mod round;
mod sandbox_faults;
mod scenarios;
mod system;
mod tally;
mod track;
mod upgrade;
mod webhooks;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use fastrand::Rng;
use fineract_gateway::cli::lab::SABOTAGE_VARIABLE;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    faults::Card,
    judge::{Accepted, Violation},
    plan::Plan,
    report::Missed,
    system::System,
    tally::{Counts, Tally},
};

/// A long run may play extra rounds after its planned rounds, to hit the faults and points that it has missed: one
/// extra round for this many planned rounds.
const ROUNDS_PER_EXTRA_ROUND: u32 = 10;

/// The arguments of `prove`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Plays this many rounds.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Repeats the rounds of an earlier run: the same operations and the same faults at the same times.
    #[arg(long)]
    seed: Option<u64>,
    /// Plays only the round with this number.
    #[arg(long)]
    only: Option<u32>,
    /// Plays the card with this name in every round. The final table contains the names.
    #[arg(long, value_parser = Card::named)]
    card: Option<Card>,
    /// Runs this many gateway processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    gateways: u8,
    /// Begins no new round after this many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Stops after the first round that has a violation.
    #[arg(long)]
    until_violation: bool,
    /// Runs gateways with this sabotage (a deliberate error), which the judge must detect.
    #[arg(long)]
    sabotage: Option<String>,
    /// Upgrades gateways of the release `--old` to this build under load, and rolls them back. Injects no faults.
    #[arg(long, requires = "old", conflicts_with_all = ["only", "card", "minutes", "until_violation", "sabotage"])]
    upgrade: bool,
    /// The program of the previous release, for `--upgrade`.
    #[arg(long, value_name = "PROGRAM", requires = "upgrade")]
    old: Option<PathBuf>,
    /// Writes the logs into this folder [default: a temporary folder, which is kept only after a failure].
    #[arg(long)]
    logs: Option<PathBuf>,
}

/// Plays the rounds. The exit code is 1 if a rule was violated, or if a long run hit too few faults or points.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments
        .seed
        .unwrap_or_else(|| fastrand::u64(0..1_000_000));
    let folder = arguments.logs.clone().unwrap_or_else(|| {
        let name = format!("fineract-gateway-prove-{}", std::process::id());
        std::env::temp_dir().join(name)
    });
    std::fs::create_dir_all(&folder).context("cannot create the folder for the logs")?;
    anstream::println!("seed {seed}, logs in {}", folder.display());
    let started = Instant::now();
    let tally = Tally::default();
    if let Some(old) = &arguments.old {
        until_interrupted(upgrade::play(&tally, &arguments, old, &folder, seed)).await?;
        return Ok(conclude(&tally.counts(), false, &arguments, seed, &folder));
    }
    let system = System::start(
        &folder,
        usize::from(arguments.gateways),
        &more_settings(&arguments),
        None,
    )
    .await?;
    let played = until_interrupted(play(&system, &tally, &arguments, seed)).await;
    system.end().await?;
    played?;
    let counts = tally.counts();
    report::print(&counts, seed, started.elapsed());
    let has_missed = print_missed(report::missed(&counts));
    Ok(conclude(&counts, has_missed, &arguments, seed, &folder))
}

/// Plays until a signal interrupts the run. A run that was interrupted proves nothing about the gateway.
async fn until_interrupted(
    playing: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        played = playing => played,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and_then(|()| bail!("interrupted")),
        _ = terminated.recv() => bail!("interrupted"),
    }
}

/// Prints the violations, and how to repeat their rounds. Removes the logs of a run that is as it must be.
fn conclude(
    counts: &Counts,
    has_missed: bool,
    arguments: &Arguments,
    seed: u64,
    folder: &Path,
) -> ExitCode {
    if counts.violations.is_empty() && !has_missed {
        remove_logs(folder, arguments);
        return ExitCode::SUCCESS;
    }
    for (round, violation) in &counts.violations {
        let repeated = match &arguments.old {
            Some(old) => format!("--upgrade --old {}", old.display()),
            None => format!("--only {round}{}", card_argument(arguments)),
        };
        anstream::println!("round {round}: {violation}");
        anstream::println!(
            "  to repeat it: prove --seed {seed} {repeated}; records and logs are in {}",
            folder.display()
        );
    }
    ExitCode::FAILURE
}

/// The option that repeats a round with the card of `--card`, or an empty text without `--card`.
fn card_argument(arguments: &Arguments) -> String {
    let card = arguments.card.map(Card::name);
    card.map_or_else(String::new, |name| format!(" --card '{name}'"))
}

/// The settings of the gateways that follow from the command line.
fn more_settings(arguments: &Arguments) -> Vec<(String, String)> {
    let sabotage = arguments.sabotage.iter();
    sabotage
        .map(|sabotage| (SABOTAGE_VARIABLE.to_owned(), sabotage.clone()))
        .collect()
}

async fn play(
    system: &System,
    tally: &Tally,
    arguments: &Arguments,
    seed: u64,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let ends_at = arguments
        .minutes
        .map(|minutes| started + Duration::from_secs(60 * minutes));
    let is_over = || ends_at.is_some_and(|ends_at| ends_at <= Instant::now());
    let plan = |round| Plan::of(seed, round, system.gateways.len(), arguments.card);
    let rounds = arguments
        .only
        .map_or(1..=arguments.rounds, |only| only..=only);
    let mut earlier: Vec<(u32, Vec<Accepted>)> = Vec::new();
    for round in rounds {
        if is_over() {
            break;
        }
        let ended = play_round(system, tally, plan(round), seed).await?;
        let is_violated = !ended.violations.is_empty();
        earlier.push((round, ended.operations));
        if is_violated && arguments.until_violation {
            return read_ends_again(system, tally, earlier).await;
        }
    }
    // Whether a fault hits is partly luck. So the run also plays later rounds of the same seed that try a missed fault.
    let mut left = arguments.rounds / ROUNDS_PER_EXTRA_ROUND;
    for round in arguments.rounds + 1..=2 * arguments.rounds {
        let missed = report::missed(&tally.counts()).unwrap_or_default();
        if left == 0 || missed.is_empty() || is_over() {
            break;
        }
        let plan = plan(round);
        if missed.iter().any(|missed| missed.is_tried_by(&plan)) {
            left -= 1;
            let ended = play_round(system, tally, plan, seed).await?;
            earlier.push((round, ended.operations));
        }
    }
    read_ends_again(system, tally, earlier).await
}

async fn play_round(
    system: &System,
    tally: &Tally,
    plan: Plan,
    seed: u64,
) -> anyhow::Result<round::Ended> {
    let round = plan.round;
    let names: Vec<String> = plan.cards.iter().map(|card| card.name()).collect();
    let began = Instant::now();
    let ended = round::play(system, tally, plan).await.with_context(|| {
        format!(
            "round {round} of seed {seed} did not complete; logs in {}",
            system.folder.display()
        )
    })?;
    anstream::println!(
        "round {round}: {} operations, {} violations, {} s: {}",
        ended.operations.len(),
        ended.violations.len(),
        began.elapsed().as_secs(),
        names.join(" + ")
    );
    Ok(ended)
}

/// Reads the end of every operation of the run once more. An end must never change.
async fn read_ends_again(
    system: &System,
    tally: &Tally,
    rounds: Vec<(u32, Vec<Accepted>)>,
) -> anyhow::Result<()> {
    let mut rng = Rng::new();
    for (round, mut operations) in rounds {
        let mut violations: Vec<Violation> = Vec::new();
        for operation in operations.iter_mut().filter(|o| !o.readings.is_empty()) {
            let was_final = judge::final_end(operation).is_none();
            track::read_again(system, operation, &mut rng).await?;
            violations.extend(judge::final_end(operation).filter(|_| was_final));
        }
        tally.add_violations(round, &violations);
    }
    Ok(())
}

/// Prints the faults and points that a long run has not hit often enough. Returns whether there are any.
fn print_missed(missed: Option<Vec<Missed>>) -> bool {
    let Some(missed) = missed else {
        anstream::println!(
            "the run is too short to require that every fault and every point was hit"
        );
        return false;
    };
    for missed in &missed {
        anstream::println!("not hit often enough: {missed}");
    }
    !missed.is_empty()
}

/// Removes the temporary folder of a run without violations, because its logs are of no use.
fn remove_logs(folder: &Path, arguments: &Arguments) {
    if arguments.logs.is_none()
        && let Err(error) = std::fs::remove_dir_all(folder)
    {
        tracing::debug!(%error, "cannot remove the logs");
    }
}
