//! Rounds with the gateways of two releases on one database, under load: the previous release alone, a migration, both
//! releases, the new one alone, the previous one again (a rollback, on the new schema), and the new one.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use fastrand::Rng;
use futures_util::future::try_join;

use super::{
    Arguments,
    caller::Callers,
    case::{Case, cases},
    judge::{self, Accepted, Rule, Violation},
    round::{self, DEADLINE, POLL},
    system::{System, migrate_with},
    tally::Tally,
    webhooks::{self, Told},
};
use crate::private::{Death, Gateway, PRODUCT, program};
use fineract_gateway::domain::{OperationId, State};

/// How long the gateways of a stage run before the next stage begins.
const STAGE: Duration = Duration::from_secs(5);
/// How often new cases begin, and the time between. The last ones begin while the last gateways are replaced.
const WAVES: u32 = 6;
const WAVE: Duration = Duration::from_secs(9);
/// How long a gateway may take to drain: `SHUTDOWN_GRACE_SECONDS`, and some to spare.
const DRAINED_WITHIN: Duration = Duration::from_secs(15);
/// How often a migration is tried. A migration that does not get its lock within 2 s fails, and changes nothing.
const MIGRATION_TRIES: u32 = 20;

/// The programs of both releases.
struct Releases<'a> {
    old: &'a Path,
    new: PathBuf,
}

/// What the stages have left for the judge.
struct Upgraded {
    /// Since when the callers have endpoints of webhooks, counted from the start of the round. The events of what was
    /// sent before are not compared, because the previous release wrote none on its own schema.
    told_since: Duration,
    /// The events with larger numbers came after that.
    told_after: i64,
    violations: Vec<Violation>,
}

/// Plays the rounds, each with a new database.
pub(super) async fn play(
    tally: &Tally,
    arguments: &Arguments,
    old: &Path,
    folder: &Path,
    seed: u64,
) -> anyhow::Result<()> {
    let releases = Releases {
        old: &old.canonicalize().context("--old does not exist")?,
        new: program(PRODUCT)?.canonicalize()?,
    };
    for round in 1..=arguments.rounds {
        let folder = folder.join(format!("round-{round}"));
        std::fs::create_dir_all(&folder).context("cannot create the folder for the logs")?;
        let gateways = usize::from(arguments.gateways);
        let system = System::start(&folder, gateways, &[], Some(releases.old)).await?;
        let began = Instant::now();
        let rng = Rng::with_seed(seed ^ (u64::from(round) << 32));
        let played = play_round(&system, tally, &releases, round, rng).await;
        system.end().await?;
        let (operations, violations) = played
            .with_context(|| format!("round {round} did not end; logs in {}", folder.display()))?;
        anstream::println!(
            "round {round}: {operations} operations, {violations} violations, {} s",
            began.elapsed().as_secs()
        );
    }
    Ok(())
}

/// Plays a round and judges it. Returns the numbers of operations and of violations.
async fn play_round(
    system: &System,
    tally: &Tally,
    releases: &Releases<'_>,
    round: u32,
    mut rng: Rng,
) -> anyhow::Result<(usize, usize)> {
    system.fineract.reset("develop").await?;
    for gateway in &system.gateways {
        gateway.run_release(releases.old);
    }
    let none = vec![None; system.gateways.len()];
    system.start_gateways(&none, 0).await?;
    let callers = Callers::new(system, round);
    let cases = waves(round, &mut rng);
    let (mut rng_of_stages, rng_of_polls) = (rng.fork(), rng.fork());
    let playing = try_join(
        callers.run_cases(cases, &mut rng),
        stages(&callers, releases, &mut rng_of_stages),
    );
    let ((), upgraded) = tokio::select! {
        played = playing => played?,
        failed = callers.poll(rng_of_polls) => match failed? {},
    };
    let over_since = Instant::now();
    while !round::is_quiescent(system, &callers).await && over_since.elapsed() < DEADLINE {
        tokio::time::sleep(POLL).await;
    }
    let recovery = over_since.elapsed();
    let is_told = |operation: &&Accepted| operation.sent_at > upgraded.told_since;
    let operations = callers
        .lock()
        .iter()
        .filter(is_told)
        .filter_map(Accepted::id)
        .collect();
    let told = Told {
        operations,
        after: upgraded.told_after,
    };
    let (books, slowest) = round::read_records(system, callers, &[], &told, &mut rng).await?;
    let mut violations = judge::judge(&books);
    violations.extend(upgraded.violations);
    tally.end_round(round, &books.operations, recovery, slowest);
    tally.add_violations(round, &violations);
    if !violations.is_empty() {
        round::save_records(system, round, "an upgrade\n", &books, &violations).await?;
    }
    Ok((books.operations.len(), violations.len()))
}

/// The cases of a round: new ones begin in every stage.
fn waves(round: u32, rng: &mut Rng) -> Vec<Case> {
    let mut all = Vec::new();
    for wave in 0..WAVES {
        // The names of clients and loans contain this number.
        let of_wave = cases(round * WAVES + wave, &[], &[], rng);
        all.extend(of_wave.into_iter().map(|case| Case {
            begins: case.begins + WAVE * wave,
            ..case
        }));
    }
    all
}

/// Replaces the gateways while the callers send.
async fn stages(
    callers: &Callers<'_>,
    releases: &Releases<'_>,
    rng: &mut Rng,
) -> anyhow::Result<Upgraded> {
    let system = callers.system;
    tokio::time::sleep(STAGE).await;
    migrate(system, &releases.new).await?;
    tokio::time::sleep(STAGE).await;
    replace_all(system, &releases.new, rng).await?;
    webhooks::create_endpoints(system).await?;
    // The number of an event is a time in microseconds, or more.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let (told_since, told_after) = (callers.elapsed(), i64::try_from(now.as_micros())?);
    tokio::time::sleep(STAGE).await;
    replace_all(system, releases.old, rng).await?;
    let planted = system.oversight.plant_unknown().await?;
    tokio::time::sleep(STAGE).await;
    let mut violations = until_unknown_failed(system, &planted, "the previous release").await?;
    // What ended is the same for every release.
    callers.read_ends(rng).await?;
    replace_all(system, &releases.new, rng).await?;
    violations.extend(until_unknown_failed(system, &planted, "the new release").await?);
    Ok(Upgraded {
        told_since,
        told_after,
        violations,
    })
}

/// Migrates the database with the new release while the old one works.
async fn migrate(system: &System, new: &Path) -> anyhow::Result<()> {
    let url = system.servers.url("postgres").await;
    for attempt in 1.. {
        match migrate_with(new, &url).await {
            Ok(()) => {
                anstream::println!("migrated under load, at try {attempt}");
                break;
            }
            Err(error) if attempt == MIGRATION_TRIES => return Err(error),
            Err(error) => anstream::println!("a migration changed nothing: {error:#}"),
        }
    }
    Ok(())
}

/// Replaces one gateway after the other, as a deployment does. Some drain, and some die.
async fn replace_all(system: &System, release: &Path, rng: &mut Rng) -> anyhow::Result<()> {
    for gateway in &system.gateways {
        end(gateway, rng.bool()).await?;
        gateway.run_release(release);
        gateway.start(None).await?;
        gateway
            .until_ready(&system.http)
            .await
            .with_context(|| format!("{} does not start on this database", release.display()))?;
        tokio::time::sleep(STAGE / 2).await;
    }
    Ok(())
}

/// Ends the process of a gateway. It must not have ended by itself.
async fn end(gateway: &Gateway, drains: bool) -> anyhow::Result<()> {
    let death = gateway.reap().await;
    ensure!(death.is_none(), "a gateway has ended by itself");
    let is_running = if drains {
        gateway.terminate().await
    } else {
        gateway.kill().await
    };
    ensure!(is_running, "there is no process to end");
    let started = Instant::now();
    while started.elapsed() < DRAINED_WITHIN {
        match gateway.reap().await {
            Some(Death::BySignal | Death::AtPoint(_) | Death::Unexpected) => return Ok(()),
            None => tokio::time::sleep(POLL).await,
        }
    }
    bail!("a gateway does not drain")
}

/// Waits until the planted dependent of a failed operation has failed, which shows that gateways look at planted
/// operations. Of the other ones, whose type no release knows, one has ended by its own deadline (that needs no
/// knowledge of the type), and two must be as they were planted.
async fn until_unknown_failed(
    system: &System,
    planted: &[OperationId],
    release: &str,
) -> anyhow::Result<Vec<Violation>> {
    let Some((dependent, others)) = planted.split_last() else {
        bail!("nothing was planted")
    };
    let started = Instant::now();
    loop {
        let rows = system.oversight.operations(planted).await?;
        let state = |id: &OperationId| rows.iter().find(|row| row.id == *id).map(|row| row.state);
        let has_failed = state(dependent) == Some(State::Failed);
        if !has_failed && started.elapsed() < DEADLINE {
            tokio::time::sleep(POLL).await;
            continue;
        }
        let expected = [State::Ready, State::Failed, State::Parked];
        let found = others.iter().map(state).chain([state(dependent)]);
        let expected = expected.into_iter().chain([State::Failed]).map(Some);
        let wrong = found
            .zip(expected)
            .filter(|(found, expected)| found != expected);
        let violations = wrong.map(|(found, expected)| Violation {
            rule: Rule::NothingIsLost,
            subject: format!("an operation of an unknown type, under {release}"),
            detail: format!("{found:?} instead of {expected:?}"),
        });
        return Ok(violations.collect());
    }
}
