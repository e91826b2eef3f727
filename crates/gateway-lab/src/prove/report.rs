//! The table at the end of a run.

use std::{collections::BTreeSet, time::Duration};

use super::{faults::Card, judge::Rule, plan::passings, tally::Counts};
use fineract_gateway::{domain::OperationType, points::Point};

/// From so many rounds on, a run must have hit every fault, and every point with every type.
const LONG_RUN: u32 = 100;

/// A run that is long enough hits each fault once in so many rounds.
const ROUNDS_A_FAULT: u64 = 50;
/// And each point with each type once in so many.
const ROUNDS_A_POINT: u64 = 100;

/// Prints what was tried, what it struck, and what came of it.
pub(super) fn print(counts: &Counts, seed: u64, took: Duration) {
    anstream::println!("\n{:<32} {:>7} {:>7}", "fault", "rounds", "struck");
    for (name, tried) in &counts.faults {
        anstream::println!("{name:<32} {:>7} {:>7}", tried.tried, tried.struck);
    }
    print_points(counts);
    anstream::println!("\n{:<40} {:>10}", "rule", "violations");
    for rule in Rule::ALL {
        let broken = counts.violations.iter().filter(|(_, v)| v.rule == rule);
        anstream::println!("{rule:<40} {:>10}", broken.count());
    }
    for rule in Rule::ALL {
        if counts.violations.iter().any(|(_, v)| v.rule == rule) {
            anstream::println!("broken: {rule}");
        }
    }
    let in_seconds = |(time, round): (Duration, u32)| {
        let tenths = time.subsec_millis() / 100;
        format!("{}.{tenths} s (round {round})", time.as_secs())
    };
    anstream::println!(
        "\nseed {seed}: {} rounds in {} s\n{} operations accepted: {} succeeded, {} failed, {} parked\n\
         slowest recovery {}, slowest operation {}\n{} gateways ended by themselves\n{} violations",
        counts.rounds,
        took.as_secs(),
        counts.accepted,
        counts.succeeded,
        counts.failed,
        counts.parked,
        in_seconds(counts.slowest_recovery),
        in_seconds(counts.slowest_operation),
        counts.unasked,
        counts.violations.len(),
    );
}

fn print_points(counts: &Counts) {
    // LOAN_UNDO_APPROVAL: L_UND_A.
    let short = |operation_type: OperationType| {
        let mut words = operation_type.as_str().split('_');
        let first = words
            .next()
            .and_then(|word| word.get(..1))
            .unwrap_or_default();
        let second = words
            .next()
            .and_then(|word| word.get(..3))
            .unwrap_or_default();
        let third = words
            .next()
            .and_then(|word| word.get(..1))
            .unwrap_or_default();
        format!("{first}{second}{third}")
    };
    let heads: Vec<String> = OperationType::ALL
        .iter()
        .map(|operation_type| format!("{:>7}", short(*operation_type)))
        .collect();
    anstream::println!("\n{:<22} {}", "died at", heads.join(" "));
    for point in Point::ALL.into_iter().filter(|point| point.is_deadly()) {
        let died = |operation_type| {
            let passing = (point, operation_type);
            counts.points.get(&passing).copied().unwrap_or(0)
        };
        let cells: Vec<String> = if point.is_of_each_type() {
            let types = OperationType::ALL.iter();
            types
                .map(|known| format!("{:>7}", died(Some(*known))))
                .collect()
        } else {
            vec![format!("{:>7}", died(None))]
        };
        anstream::println!("{:<22} {}", point.as_str(), cells.join(" "));
    }
}

/// What a run of this length should have hit more often; `None`: it was too short to tell.
pub(super) fn missed(counts: &Counts) -> Option<Vec<String>> {
    if counts.rounds < LONG_RUN {
        return None;
    }
    let rounds = u64::from(counts.rounds);
    let mut missed = Vec::new();
    let names: BTreeSet<String> = Card::deck().into_iter().map(Card::name).collect();
    for name in names {
        let struck = counts.faults.get(&name).map_or(0, |tried| tried.struck);
        let least = rounds / ROUNDS_A_FAULT;
        if struck < least {
            missed.push(format!("{name}: {struck} of at least {least}"));
        }
    }
    for (point, operation_type) in passings() {
        let died = counts.points.get(&(point, operation_type)).copied();
        let (died, least) = (died.unwrap_or(0), rounds / ROUNDS_A_POINT);
        if died < least {
            let name = operation_type.map_or("any", OperationType::as_str);
            missed.push(format!(
                "{} × {name}: {died} of at least {least}",
                point.as_str()
            ));
        }
    }
    Some(missed)
}
