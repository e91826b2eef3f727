//! One round: load with disturbances, then recovery, then judgement.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use fastrand::Rng;
use futures_util::future::{join, try_join, try_join_all};

use super::{
    caller::Callers,
    case::cases,
    chaos::Chaos,
    faults::{Card, Parked},
    fineract::release_in,
    judge::{self, Accepted, Books, Resource, Status, Violation},
    plan::Plan,
    system::{LEASE, System},
    tally::Tally,
    webhooks::{self, Told},
};
use fineract_gateway::domain::{OperationType, State};

/// How long all operations may take to end after the last disturbance. A missing permission alone delays the next try
/// by half a minute.
pub(super) const DEADLINE: Duration = Duration::from_mins(1);
/// The interval between two checks whether all operations have ended.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// How long a gateway that stopped itself stays stopped, unless the card `WriteLate` resumes it earlier.
const STOP_UNTIL_RESUMED: Duration = Duration::from_secs(20);
/// The pause between two readings of the same end.
const BETWEEN_READINGS: Duration = Duration::from_millis(300);

/// The result of a round.
#[derive(Debug)]
pub(super) struct Ended {
    /// The operations of the round. Their ends are read once more at the end of the run.
    pub(super) operations: Vec<Accepted>,
    /// The violations.
    pub(super) violations: Vec<Violation>,
}

/// Plays a round and judges it.
pub(super) async fn play(system: &System, tally: &Tally, plan: Plan) -> anyhow::Result<Ended> {
    let Plan {
        round,
        cards,
        injections,
        next_injection,
        mut rng,
    } = plan;
    // Every round begins with an empty Fineract.
    system.oversight.begin_epoch().await?;
    system.fineract.reset(release_in(round)).await?;
    let logs = cards.iter().filter(|card| matches!(card, Card::Log { .. }));
    system.start_gateways(&injections, logs.count()).await?;
    let chaos = Chaos {
        system,
        tally,
        is_over: AtomicBool::new(false),
        elsewhere: AtomicUsize::new(0),
    };
    let mut longest_delay = Duration::ZERO;
    for card in &cards {
        longest_delay = longest_delay.max(chaos.prepare(*card, &mut rng).await?);
    }
    let mut injected_types = Vec::new();
    for injection in injections.iter().flatten().chain(&next_injection) {
        chaos.prepare_for(*injection, &mut rng).await?;
        injected_types.extend(injection.operation_type);
    }
    let stop_lasts = if cards.contains(&Card::WriteLate) {
        STOP_UNTIL_RESUMED
    } else {
        LEASE + Duration::from_millis(rng.u64(500..2_500))
    };
    let callers = Callers::new(system, round);
    let repairing = try_join(
        chaos.restart_and_resume(stop_lasts, next_injection, rng.fork()),
        chaos.check(&cards),
    );
    let playing = async {
        let recovery =
            load_and_recover(&chaos, &callers, &cards, &injected_types, &mut rng).await?;
        // A delayed effect must have occurred before the ledger is read.
        tokio::time::sleep(longest_delay.saturating_sub(recovery)).await;
        let told = Told::all_of(callers.ids());
        let read = read_records(system, callers, &cards, &told, &mut rng).await;
        chaos.count_full_logs().await;
        read.map(|(books, slowest)| (books, recovery, slowest))
    };
    let (books, recovery, slowest) = tokio::select! {
        played = playing => played?,
        failed = repairing => match failed? {},
    };
    let mut violations = judge::judge(&books);
    violations.extend(judge::sent_elsewhere(
        chaos.elsewhere.load(Ordering::Relaxed),
    ));
    tally.end_round(round, &books.operations, recovery, slowest);
    tally.add_violations(round, &violations);
    if !violations.is_empty() {
        let description =
            format!("cards: {cards:?}\ninjections: {injections:?}, then {next_injection:?}\n");
        save_records(system, round, &description, &books, &violations).await?;
    }
    Ok(Ended {
        operations: books.operations,
        violations,
    })
}

/// Runs the load with all cards, ends the disturbances, and waits until everything has ended. Returns how long that
/// recovery took.
async fn load_and_recover(
    chaos: &Chaos<'_>,
    callers: &Callers<'_>,
    cards: &[Card],
    injected_types: &[OperationType],
    rng: &mut Rng,
) -> anyhow::Result<Duration> {
    webhooks::create_endpoints(chaos.system).await?;
    let encounters: Vec<_> = cards.iter().filter_map(|card| card.encounter()).collect();
    let cases = cases(callers.round(), injected_types, &encounters, rng);
    let playing = cards.iter().map(|card| chaos.play(*card, rng.fork()));
    let playing = try_join_all(playing.collect::<Vec<_>>());
    let polling = callers.poll(rng.fork());
    let recovering = async {
        let (sent, played) = join(callers.run_cases(cases, rng), playing).await;
        sent?;
        played?;
        chaos.is_over.store(true, Ordering::Relaxed);
        chaos.clear_faults().await?;
        let over_since = Instant::now();
        while !is_quiescent(chaos.system, callers).await && over_since.elapsed() < DEADLINE {
            tokio::time::sleep(POLL).await;
        }
        Ok(over_since.elapsed())
    };
    tokio::select! {
        recovered = recovering => recovered,
        failed = polling => match failed? {},
    }
}

/// Whether every operation has ended, is parked, or waits behind a parked operation, and no gateway is stopped.
pub(super) async fn is_quiescent(system: &System, callers: &Callers<'_>) -> bool {
    for gateway in &system.gateways {
        if gateway.is_stopped().await {
            return false;
        }
    }
    let Ok(rows) = system.oversight.operations(&callers.ids()).await else {
        return false;
    };
    let operations = callers.with_statuses(|id| {
        let row = rows.iter().find(|row| row.id == id)?;
        Some(status_of(row))
    });
    judge::is_quiescent(&Books {
        operations,
        ..Books::default()
    })
}

fn status_of(row: &super::oversight::OperationRow) -> Status {
    match row.state {
        State::Waiting | State::Ready | State::Running => Status::Open,
        State::Parked => Status::Parked {
            reason_code: row.reason_code.clone().unwrap_or_default(),
        },
        State::Succeeded => Status::Succeeded,
        State::Failed => Status::Failed { codes: Vec::new() },
    }
}

/// Reads the records of the round, and compares the events of `told`. Also returns the time of the slowest operation.
pub(super) async fn read_records(
    system: &System,
    callers: Callers<'_>,
    cards: &[Card],
    told: &Told,
    rng: &mut Rng,
) -> anyhow::Result<(Books, Duration)> {
    let unanswered = system.unanswered().await?;
    callers.poll_all(rng).await?;
    callers.read_ends(rng).await?;
    tokio::time::sleep(BETWEEN_READINGS).await;
    callers.read_ends(rng).await?;
    callers.poll_all(rng).await?;
    let rows = read_operations(system, &callers).await?;
    let ledger = system.fineract.ledger().await?;
    for (id, at) in system.receiver.failures() {
        callers.note_failure_read(id, at);
    }
    let mut operations = callers.into_accepted();
    for operation in &mut operations {
        let id = operation.id();
        let found = rows.iter().find(|row| Some(row.id) == id);
        operation.code = found.and_then(|found| found.code.clone());
        if let (Status::Open, Some(found)) = (&operation.status, found)
            && found.state == State::Parked
        {
            let reason_code = found.reason_code.clone().unwrap_or_default();
            let parked = Parked {
                operation_type: operation.operation_type,
                reason_code: &reason_code,
                has_effect: ledger.iter().any(|effect| effect.operation() == id),
            };
            operation.may_be_parked = cards.iter().any(|card| card.may_park(&parked));
            operation.status = Status::Parked { reason_code };
        }
    }
    system.oversight.remove_planted().await?;
    let books = Books {
        ledger,
        unanswered,
        sent_on_hold: system.oversight.sent_on_hold().await?,
        wrong_events: system.oversight.wrong_events(&told.operations).await?,
        wrongly_told: webhooks::wrongly_told(system, told).await?,
        resources: read_resources(system, &operations).await?,
        operations,
    };
    let slowest = rows.iter().filter_map(|row| row.took).max();
    Ok((books, slowest.unwrap_or_default()))
}

async fn read_operations(
    system: &System,
    callers: &Callers<'_>,
) -> anyhow::Result<Vec<super::oversight::OperationRow>> {
    let started = Instant::now();
    loop {
        match system.oversight.operations(&callers.ids()).await {
            Ok(rows) => return Ok(rows),
            Err(error) if started.elapsed() > DEADLINE => bail!(error),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// The clients and loans of the round as Fineract shows them now, by lane.
async fn read_resources(
    system: &System,
    operations: &[Accepted],
) -> anyhow::Result<HashMap<String, Resource>> {
    let lanes: BTreeSet<&str> = operations.iter().map(|o| o.lane.as_str()).collect();
    let mut resources = HashMap::new();
    for lane in lanes {
        let resource = match lane.split_once(':') {
            Some(("client", id)) => system.fineract.client(id).await?.map(|client| Resource {
                value: client.lastname.unwrap_or_default(),
                approved: None,
            }),
            Some((_, id)) => system.fineract.loan(id).await?.map(|loan| Resource {
                value: loan.proposed_principal.0.normalize().to_string(),
                approved: Some(loan.approved_principal),
            }),
            None => None,
        };
        resources.extend(resource.map(|resource| (lane.to_owned(), resource)));
    }
    Ok(resources)
}

/// Writes the records of a round with violations into a file.
pub(super) async fn save_records(
    system: &System,
    round: u32,
    description: &str,
    books: &Books,
    violations: &[Violation],
) -> anyhow::Result<()> {
    let mut text = description.to_owned();
    for violation in violations {
        writeln!(text, "{violation}")?;
    }
    for operation in &books.operations {
        writeln!(text, "\n{operation:?}")?;
        if let Some(id) = operation.id() {
            for line in system.oversight.attempts(id).await? {
                writeln!(text, "  {line}")?;
            }
        }
    }
    for effect in &books.ledger {
        writeln!(text, "{effect:?}")?;
    }
    writeln!(text, "{:#?}", books.resources)?;
    let path = system.folder.join(format!("round-{round}.txt"));
    std::fs::write(&path, text).context("cannot write the records of the round")
}
