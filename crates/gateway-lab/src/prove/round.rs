//! One round: load and havoc, then peace, then the judgement.

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
    judge::{self, Accepted, Books, Standing, Thing, Violation},
    plan::Plan,
    system::{LEASE, System},
    tally::Tally,
};
use fineract_gateway::domain::{OperationType, State};

/// How long everything may take to end once nothing goes wrong any more. A missing permission alone is
/// left alone for half a minute.
const DEADLINE: Duration = Duration::from_mins(1);
/// How often the judge looks whether all have ended.
const LOOK: Duration = Duration::from_millis(100);
/// How long a gateway that stopped itself stays so, where another card wakes it.
const WOKEN_BY_CARD: Duration = Duration::from_secs(20);
/// Every so many rounds Fineract is an older release (`docs/fineract/release-1.10.1.md`).
const OLD_EVERY: u32 = 4;
/// Between two readings of the same end.
const APART: Duration = Duration::from_millis(300);

/// What is left of a round.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its operations; their ends are read once more when the run is over.
    pub(super) operations: Vec<Accepted>,
    /// What was not kept.
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
    let release = if round % OLD_EVERY == 0 {
        "1.10.1"
    } else {
        "develop"
    };
    // Every round has a Fineract of its own.
    system.oversight.begin_epoch().await?;
    system.fineract.reset(release).await?;
    let logs = cards.iter().filter(|card| matches!(card, Card::Log { .. }));
    system.begin_lives(&injections, logs.count()).await?;
    let chaos = Chaos {
        system,
        tally,
        is_over: AtomicBool::new(false),
        elsewhere: AtomicUsize::new(0),
    };
    let mut held_back = Duration::ZERO;
    for card in &cards {
        held_back = held_back.max(chaos.prepare(*card, &mut rng).await?);
    }
    let mut ordered = Vec::new();
    for injection in injections.iter().flatten().chain(&next_injection) {
        chaos.prepare_for(*injection, &mut rng).await?;
        ordered.extend(injection.operation_type);
    }
    let stop_lasts = if cards.contains(&Card::WriteLate) {
        WOKEN_BY_CARD
    } else {
        LEASE + Duration::from_millis(rng.u64(500..2_500))
    };
    let callers = Callers::new(system, round);
    let attending = try_join(
        chaos.attend(stop_lasts, next_injection, rng.fork()),
        chaos.check(&cards),
    );
    let playing = async {
        let recovery = trouble_and_peace(&chaos, &callers, &cards, &ordered, &mut rng).await?;
        // What the sandbox still holds back is an effect too.
        tokio::time::sleep(held_back.saturating_sub(recovery)).await;
        let read = read_books(system, callers, &cards, &mut rng).await;
        chaos.count_full_logs().await;
        read.map(|(books, slowest)| (books, recovery, slowest))
    };
    let (books, recovery, slowest) = tokio::select! {
        played = playing => played?,
        failed = attending => match failed? {},
    };
    let mut violations = judge::judge(&books);
    violations.extend(judge::sent_elsewhere(
        chaos.elsewhere.load(Ordering::Relaxed),
    ));
    tally.end_round(round, &books.operations, recovery, slowest);
    tally.object(round, &violations);
    if !violations.is_empty() {
        let case = format!("cards: {cards:?}\norders: {injections:?}, then {next_injection:?}\n");
        write_down(system, round, &case, &books, &violations).await?;
    }
    Ok(Ended {
        operations: books.operations,
        violations,
    })
}

/// Load while things go wrong, then peace until all have ended; how long that took.
async fn trouble_and_peace(
    chaos: &Chaos<'_>,
    callers: &Callers<'_>,
    cards: &[Card],
    ordered: &[OperationType],
    rng: &mut Rng,
) -> anyhow::Result<Duration> {
    let encounters: Vec<_> = cards.iter().filter_map(|card| card.encounter()).collect();
    let cases = cases(callers.round(), ordered, &encounters, rng);
    let playing = cards.iter().map(|card| chaos.play(*card, rng.fork()));
    let playing = try_join_all(playing.collect::<Vec<_>>());
    let polling = callers.poll(rng.fork());
    let recovering = async {
        let (told, played) = join(callers.tell(cases, rng), playing).await;
        told?;
        played?;
        chaos.is_over.store(true, Ordering::Relaxed);
        chaos.clear_faults().await?;
        let peace = Instant::now();
        while !look(chaos.system, callers).await && peace.elapsed() < DEADLINE {
            tokio::time::sleep(LOOK).await;
        }
        Ok(peace.elapsed())
    };
    tokio::select! {
        recovered = recovering => recovered,
        failed = polling => match failed? {},
    }
}

/// Whether all have ended, are parked, or stand behind what is parked, and no gateway is stopped.
async fn look(system: &System, callers: &Callers<'_>) -> bool {
    for gateway in &system.gateways {
        if gateway.is_stopped().await {
            return false;
        }
    }
    let Ok(standings) = system.oversight.standings(&callers.ids()).await else {
        return false;
    };
    let operations = callers.standing_so(|id| {
        let standing = standings.iter().find(|standing| standing.id == id)?;
        Some(stands(standing))
    });
    judge::is_quiescent(&Books {
        operations,
        ..Books::default()
    })
}

fn stands(standing: &super::oversight::Standing) -> Standing {
    match standing.state {
        State::Waiting | State::Ready | State::Running => Standing::Open,
        State::Parked => Standing::Parked {
            reason_code: standing.reason_code.clone().unwrap_or_default(),
        },
        State::Succeeded => Standing::Succeeded,
        State::Failed => Standing::Failed { codes: Vec::new() },
    }
}

/// Reads the three books; and how long the slowest operation took.
async fn read_books(
    system: &System,
    callers: Callers<'_>,
    cards: &[Card],
    rng: &mut Rng,
) -> anyhow::Result<(Books, Duration)> {
    let unanswered = system.unanswered().await?;
    callers.poll_all(rng).await?;
    callers.read_ends(rng).await?;
    tokio::time::sleep(APART).await;
    callers.read_ends(rng).await?;
    callers.poll_all(rng).await?;
    let standings = until_read(system, &callers).await?;
    let ledger = system.fineract.ledger().await?;
    let mut operations = callers.into_accepted();
    for operation in &mut operations {
        let id = operation.id();
        let found = standings.iter().find(|standing| Some(standing.id) == id);
        operation.code = found.and_then(|found| found.code.clone());
        if let (Standing::Open, Some(found)) = (&operation.standing, found)
            && found.state == State::Parked
        {
            let reason_code = found.reason_code.clone().unwrap_or_default();
            let parked = Parked {
                operation_type: operation.operation_type,
                reason_code: &reason_code,
                has_effect: ledger.iter().any(|effect| effect.operation() == id),
            };
            operation.may_be_parked = cards.iter().any(|card| card.may_park(&parked));
            operation.standing = Standing::Parked { reason_code };
        }
    }
    system.oversight.remove_planted().await?;
    let books = Books {
        ledger,
        unanswered,
        sent_on_hold: system.oversight.sent_on_hold().await?,
        things: read_things(system, &operations).await?,
        operations,
    };
    let slowest = standings.iter().filter_map(|standing| standing.took).max();
    Ok((books, slowest.unwrap_or_default()))
}

async fn until_read(
    system: &System,
    callers: &Callers<'_>,
) -> anyhow::Result<Vec<super::oversight::Standing>> {
    let started = Instant::now();
    loop {
        match system.oversight.standings(&callers.ids()).await {
            Ok(standings) => return Ok(standings),
            Err(error) if started.elapsed() > DEADLINE => bail!(error),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// How the clients and loans of the round look now.
async fn read_things(
    system: &System,
    operations: &[Accepted],
) -> anyhow::Result<HashMap<String, Thing>> {
    let lanes: BTreeSet<&str> = operations.iter().map(|o| o.lane.as_str()).collect();
    let mut things = HashMap::new();
    for lane in lanes {
        let thing = match lane.split_once(':') {
            Some(("client", id)) => system.fineract.client(id).await?.map(|client| Thing {
                value: client.lastname.unwrap_or_default(),
                approved: None,
            }),
            Some((_, id)) => system.fineract.loan(id).await?.map(|loan| Thing {
                value: loan.proposed_principal.0.normalize().to_string(),
                approved: Some(loan.approved_principal),
            }),
            None => None,
        };
        things.extend(thing.map(|thing| (lane.to_owned(), thing)));
    }
    Ok(things)
}

/// Keeps the books of a round in which something was not kept.
async fn write_down(
    system: &System,
    round: u32,
    case: &str,
    books: &Books,
    violations: &[Violation],
) -> anyhow::Result<()> {
    let mut text = case.to_owned();
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
    writeln!(text, "{:#?}", books.things)?;
    let path = system.folder.join(format!("round-{round}.txt"));
    std::fs::write(&path, text).context("the books cannot be written down")
}
