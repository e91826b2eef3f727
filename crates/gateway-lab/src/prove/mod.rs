//! `prove`: kills, stops and lies to gateways under load, and judges what they made of it.
//!
//! | module | owns |
//! | --- | --- |
//! | `system`, `fineract` | what is put to the test: Postgres, the sandbox, gateway processes |
//! | `plan`, `case`, `scenarios`, `impatient`, `requests`, `faults`, `sandbox_faults` | what a round does, from the seed alone |
//! | `caller`, `batch`, `poller`, `track`, `chaos`, `checkers`, `neighbours`, `late_writer`, `encounters`, `actions` | doing it |
//! | `round`, `judge`, `ledger` | the three books, and their comparison |
//! | `tally`, `report` | what the run says in the end |

mod actions;
mod batch;
mod caller;
mod case;
mod chaos;
mod checkers;
mod encounters;
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
mod report;
mod requests;
mod round;
mod sandbox_faults;
mod scenarios;
mod system;
mod tally;
mod track;

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
    tally::Tally,
};

/// For so many rounds, a long run plays one further at most, to hit what it has missed.
const ROUNDS_A_FURTHER: u32 = 10;

/// The arguments of `prove`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How many rounds.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Repeats the rounds of an earlier run: what is sent, and what goes wrong when.
    #[arg(long)]
    seed: Option<u64>,
    /// Plays this round of the seed alone.
    #[arg(long)]
    only: Option<u32>,
    /// Has every round play this card too, by its name in the table.
    #[arg(long, value_parser = Card::named)]
    card: Option<Card>,
    /// How many gateway processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    gateways: u8,
    /// Begins no further round after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Ends with the first round that has a violation.
    #[arg(long)]
    until_violation: bool,
    /// Has the gateways do something wrong, which is to be found out.
    #[arg(long)]
    sabotage: Option<String>,
    /// Where the logs go; they are kept where something was not [default: a temporary folder].
    #[arg(long)]
    logs: Option<PathBuf>,
}

/// Plays the rounds; 1 where a promise was not kept, or too little was tried.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let seed = arguments
        .seed
        .unwrap_or_else(|| fastrand::u64(0..1_000_000));
    let folder = arguments.logs.clone().unwrap_or_else(|| {
        let name = format!("fineract-gateway-prove-{}", std::process::id());
        std::env::temp_dir().join(name)
    });
    std::fs::create_dir_all(&folder).context("there is no place for the logs")?;
    anstream::println!("seed {seed}, logs in {}", folder.display());
    let started = Instant::now();
    let tally = Tally::default();
    let system = System::start(
        &folder,
        usize::from(arguments.gateways),
        &more_settings(&arguments),
    )
    .await?;
    let mut terminated = signal(SignalKind::terminate())?;
    let played = tokio::select! {
        played = play(&system, &tally, &arguments, seed) => played,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and_then(|()| broken_off()),
        _ = terminated.recv() => broken_off(),
    };
    system.end().await?;
    played?;
    let counts = tally.counts();
    report::print(&counts, seed, started.elapsed());
    let has_missed = complain_of_missed(report::missed(&counts));
    if counts.violations.is_empty() && !has_missed {
        remove(&folder, &arguments);
        return Ok(ExitCode::SUCCESS);
    }
    for (round, violation) in &counts.violations {
        anstream::println!("round {round}: {violation}");
        anstream::println!(
            "  again: prove --seed {seed} --only {round}{}; books and logs in {}",
            card_argument(&arguments),
            folder.display()
        );
    }
    Ok(ExitCode::FAILURE)
}

/// What repeats a round that was to play a card.
fn card_argument(arguments: &Arguments) -> String {
    let card = arguments.card.map(Card::name);
    card.map_or_else(String::new, |name| format!(" --card '{name}'"))
}

/// Nothing is left running, and nothing is proven.
fn broken_off() -> anyhow::Result<()> {
    bail!("broken off")
}

/// Settings of the gateways, beside those of every run.
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
            return read_all_again(system, tally, earlier).await;
        }
    }
    // Whether a fault strikes is partly luck: later rounds of the same seed that try what was missed are played too.
    let mut left = arguments.rounds / ROUNDS_A_FURTHER;
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
    read_all_again(system, tally, earlier).await
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
            "round {round} of seed {seed} broke off; logs in {}",
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

/// Ended never changes: all ends of the run are read once more.
async fn read_all_again(
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
        tally.object(round, &violations);
    }
    Ok(())
}

/// Whether a run that was long enough has tried too little.
fn complain_of_missed(missed: Option<Vec<Missed>>) -> bool {
    let Some(missed) = missed else {
        anstream::println!("too short a run to demand that every fault and every point was hit");
        return false;
    };
    for missed in &missed {
        anstream::println!("not hit often enough: {missed}");
    }
    !missed.is_empty()
}

/// Nothing is wrong: the logs tell nobody anything.
fn remove(folder: &Path, arguments: &Arguments) {
    if arguments.logs.is_none()
        && let Err(error) = std::fs::remove_dir_all(folder)
    {
        tracing::debug!(%error, "the logs stay");
    }
}
