//! The plan of a round. It depends only on the seed and the number of the round, so a round can be repeated.

use fastrand::Rng;

use super::{faults::Card, scenarios::scenario_of_rare};
use fineract_gateway::{
    domain::OperationType,
    points::{Action, Injection, Point},
};

/// The number of cards in a round. Gateways that die at fault points do not count as cards.
const CARDS_PER_ROUND: usize = 2;
/// The number of deaths at fault points in a round of three gateways: two gateways die once, and the first
/// gateway that is restarted dies once more. So one gateway always remains.
const DEATHS_PER_ROUND: usize = 3;

/// The plan of a round.
#[derive(Debug)]
pub(super) struct Plan {
    /// The number of the round, from 1.
    pub(super) round: u32,
    /// The cards.
    pub(super) cards: Vec<Card>,
    /// The injection of each gateway.
    pub(super) injections: Vec<Option<Injection>>,
    /// The injection of the first gateway that is restarted after its death.
    pub(super) next_injection: Option<Injection>,
    /// The random number generator for everything else in the round.
    pub(super) rng: Rng,
}

/// A fault point, and the operation type that must pass it. `None` stands for any type.
pub(super) type Passing = (Point, Option<OperationType>);

/// Every fault point at which gateways die, with every operation type that passes it.
pub(super) fn passings() -> Vec<Passing> {
    let mut all = Vec::new();
    for point in Point::ALL.into_iter().filter(|point| point.is_deadly()) {
        if point.is_of_each_type() {
            let types = OperationType::ALL.iter();
            all.extend(types.map(|operation_type| (point, Some(*operation_type))));
        } else {
            all.push((point, None));
        }
    }
    all
}

impl Plan {
    /// Plans a round. If the card `always` is given, it is one of the round's cards.
    pub(super) fn of(seed: u64, round: u32, gateways: usize, always: Option<Card>) -> Self {
        let mut rng = Rng::with_seed(seed ^ (u64::from(round) << 32));
        let before = usize::try_from(round.saturating_sub(1)).unwrap_or(0);
        let mut cards = deal(
            seed,
            before * CARDS_PER_ROUND,
            CARDS_PER_ROUND,
            &Card::deck(),
        );
        if let Some(card) = always
            && !cards.contains(&card)
            && let Some(first) = cards.first_mut()
        {
            *first = card;
        }
        let deaths = deal(
            seed,
            before * DEATHS_PER_ROUND,
            DEATHS_PER_ROUND,
            &passings(),
        );
        let mut injections: Vec<Option<Injection>> = deaths
            .into_iter()
            .map(|(point, operation_type)| Injection {
                action: Action::Die,
                point,
                operation_type,
                // An injection for a rare type acts when the type first passes the point. There may be no second time.
                passing: if operation_type.is_none_or(|it| scenario_of_rare(it).is_some()) {
                    1
                } else {
                    rng.u32(1..=2)
                },
            })
            .map(Some)
            .collect();
        let next_injection = injections.pop().flatten();
        // One gateway has to survive when the others die.
        injections.truncate(gateways.saturating_sub(1));
        injections.resize(gateways, None);
        if let Some(last) = injections.last_mut() {
            *last = cards.iter().find_map(|card| stop(*card, &mut rng));
        }
        rng.shuffle(&mut injections);
        Self {
            round,
            cards,
            injections,
            next_injection,
            rng,
        }
    }

    /// The fault points at which gateways die.
    pub(super) fn deaths(&self) -> impl Iterator<Item = Passing> {
        let injections = self.injections.iter().flatten().chain(&self.next_injection);
        injections
            .filter(|injection| injection.action == Action::Die)
            .map(|injection| (injection.point, injection.operation_type))
    }
}

/// The injection of the gateway that stops itself. `None` if this card requires none.
fn stop(card: Card, rng: &mut Rng) -> Option<Injection> {
    let (point, operation_type) = if card == Card::WriteLate {
        (Point::BeforeNewKey, Some(OperationType::ClientUpdate))
    } else if card == Card::StopAtPoint {
        let points = [
            Point::BeforeAttemptCommit,
            Point::AfterAttemptCommit,
            Point::AfterSend,
            Point::AfterAnswer,
            Point::BeforeComplete,
        ];
        (
            rng.choice(points)?,
            rng.choice(OperationType::ALL.iter().copied()),
        )
    } else {
        return None;
    };
    Some(Injection {
        action: Action::Stop,
        point,
        operation_type,
        passing: 1,
    })
}

/// Deals `count` cards. `dealt` is the number of cards that were dealt before. When all cards of the deck have been
/// dealt, the deck is shuffled again.
fn deal<T: Copy>(seed: u64, dealt: usize, count: usize, deck: &[T]) -> Vec<T> {
    (dealt..dealt + count)
        .filter_map(|number| {
            let times = number.checked_div(deck.len())?;
            let mut shuffled = deck.to_vec();
            let times = u64::try_from(times).unwrap_or(u64::MAX);
            Rng::with_seed(seed.wrapping_add(times)).shuffle(&mut shuffled);
            shuffled.get(number.checked_rem(deck.len())?).copied()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_round_is_planned_the_same_again() {
        let plan = |seed, round| format!("{:?}", Plan::of(seed, round, 3, None));
        assert_eq!(plan(7, 12), plan(7, 12));
        assert_ne!(plan(7, 12), plan(8, 12));
        assert_ne!(plan(7, 12), plan(7, 13));
    }

    #[test]
    fn every_card_and_every_point_is_played() {
        let plans: Vec<Plan> = (1..=40).map(|round| Plan::of(3, round, 3, None)).collect();
        let cards: BTreeSet<Card> = plans.iter().flat_map(|plan| plan.cards.clone()).collect();
        assert_eq!(cards, Card::deck().into_iter().collect());
        let deaths: BTreeSet<Passing> = plans.iter().flat_map(Plan::deaths).collect();
        assert_eq!(deaths, passings().into_iter().collect());
    }

    #[test]
    fn a_card_may_be_asked_for_in_every_round() {
        for round in 1..=40 {
            let plan = Plan::of(3, round, 3, Some(Card::LockRows));
            assert!(plan.cards.contains(&Card::LockRows), "{round}");
            assert_eq!(plan.cards.len(), CARDS_PER_ROUND, "{round}");
        }
    }
}
