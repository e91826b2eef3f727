//! The report at the end of a run.

use std::{
    collections::BTreeSet,
    fmt::{self, Display, Formatter},
    time::Duration,
};

use super::{
    faults::Card,
    judge::Rule,
    plan::{Passing, Plan, passings},
    tally::Counts,
};
use fineract_gateway::{domain::OperationType, points::Point};

/// A run with at least this many rounds must hit every fault, and every fault point with every type.
const LONG_RUN: u32 = 100;

/// A long run must hit each fault at least once in this number of rounds.
const ROUNDS_PER_FAULT: u64 = 50;
/// A long run must hit each fault point with each type at least once in this number of rounds.
const ROUNDS_PER_POINT: u64 = 100;

/// Prints the faults, the fault points, the rules and the totals.
pub(super) fn print(counts: &Counts, seed: u64, took: Duration) {
    anstream::println!("\n{:<32} {:>7} {:>7}", "fault", "rounds", "hits");
    for (name, tried) in &counts.faults {
        anstream::println!("{name:<32} {:>7} {:>7}", tried.rounds, tried.hits);
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
        counts.unexpected_ends,
        counts.violations.len(),
    );
}

fn print_points(counts: &Counts) {
    // LOAN_UNDO_APPROVAL becomes LUNDA.
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

/// A fault or fault point that a run has not hit often enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    what: Target,
    hit: u64,
    least: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Fault(String),
    Point(Passing),
}

impl Missed {
    /// Whether a round with this plan tries this fault or fault point.
    pub(super) fn is_tried_by(&self, plan: &Plan) -> bool {
        match &self.what {
            Target::Fault(name) => plan.cards.iter().any(|card| card.name() == *name),
            Target::Point(passing) => plan.deaths().any(|death| death == *passing),
        }
    }
}

impl Display for Missed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.what {
            Target::Fault(name) => f.write_str(name)?,
            Target::Point((point, operation_type)) => {
                let name = operation_type.map_or("any", OperationType::as_str);
                write!(f, "{} × {name}", point.as_str())?;
            }
        }
        write!(f, ": {} of at least {}", self.hit, self.least)
    }
}

/// The faults and fault points that a run of this length has not hit often enough. `None` if the run is too short.
pub(super) fn missed(counts: &Counts) -> Option<Vec<Missed>> {
    if counts.rounds < LONG_RUN {
        return None;
    }
    let rounds = u64::from(counts.rounds);
    let names: BTreeSet<String> = Card::deck().into_iter().map(Card::name).collect();
    let faults = names.into_iter().map(|name| Missed {
        hit: counts.faults.get(&name).map_or(0, |tried| tried.hits),
        what: Target::Fault(name),
        least: rounds / ROUNDS_PER_FAULT,
    });
    let points = passings().into_iter().map(|passing| Missed {
        hit: counts.points.get(&passing).copied().unwrap_or(0),
        what: Target::Point(passing),
        least: rounds / ROUNDS_PER_POINT,
    });
    let all = faults.chain(points);
    Some(all.filter(|missed| missed.hit < missed.least).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_but(fault: &str) -> Counts {
        let mut counts = Counts {
            rounds: LONG_RUN,
            ..Counts::default()
        };
        for card in Card::deck() {
            counts.faults.entry(card.name()).or_default().hits = 100;
        }
        for passing in passings() {
            counts.points.insert(passing, 100);
        }
        counts.faults.remove(fault);
        counts
    }

    #[test]
    fn a_short_run_misses_nothing() {
        let counts = Counts::default();
        assert_eq!(missed(&counts), None);
    }

    #[test]
    fn what_was_missed_is_tried_by_some_later_round() {
        for card in Card::deck() {
            let missed = missed(&all_but(&card.name())).unwrap();
            let [missed] = missed.as_slice() else {
                panic!("{missed:?}")
            };
            let tries = |round| missed.is_tried_by(&Plan::of(5, round, 3, None));
            assert!((101..=200).any(tries), "{missed}");
            assert!(!(101..=200).all(tries), "{missed}");
        }
        let mut counts = all_but("");
        for passing in passings() {
            let before = counts.points.insert(passing, 0).unwrap();
            let missed = missed(&counts).unwrap();
            let tries = |round| missed[0].is_tried_by(&Plan::of(5, round, 3, None));
            assert!((101..=200).any(tries), "{}", missed[0]);
            counts.points.insert(passing, before);
        }
    }
}
