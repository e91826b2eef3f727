//! The three books: what was accepted, what track says, what the ledger says.

use std::{collections::HashMap, time::Duration};

use crate::prove::requests::Request;
use fineract_gateway::domain::{Amount, OperationId, OperationType, TrackingId};

/// Everything that a round leaves behind.
#[derive(Clone, Debug, Default)]
pub(in crate::prove) struct Books {
    /// What was accepted, in the order of the answers, and what track says of it.
    pub(in crate::prove) operations: Vec<Accepted>,
    /// Every effect in Fineract, in order.
    pub(in crate::prove) ledger: Vec<Effect>,
    /// What a gateway does not answer although nothing goes wrong any more.
    pub(in crate::prove) unanswered: Vec<String>,
    /// What was sent while everything was on hold.
    pub(in crate::prove) sent_on_hold: Vec<String>,
    /// How the clients and loans look at the end, by their lanes; what is not there is gone.
    pub(in crate::prove) things: HashMap<String, Thing>,
}

/// An operation that was accepted.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Accepted {
    /// The `Idempotency-Key` it was sent with.
    pub(in crate::prove) caller_key: String,
    /// Its type.
    pub(in crate::prove) operation_type: OperationType,
    /// The lane that it writes.
    pub(in crate::prove) lane: String,
    /// The lane that it reads.
    pub(in crate::prove) reads: Option<String>,
    /// What Fineract holds after it: a client's last name, or a loan's principal.
    pub(in crate::prove) value: Option<String>,
    /// What it asked to be paid out.
    pub(in crate::prove) amount: Option<Amount>,
    /// The operation in whose place it runs, where "all that failed" was asked for.
    pub(in crate::prove) in_place_of: Option<OperationId>,
    /// When it was first sent, since the start of the round.
    pub(in crate::prove) sent_at: Duration,
    /// When its acceptance was first heard of.
    pub(in crate::prove) heard_at: Duration,
    /// When its failure was first read.
    pub(in crate::prove) failure_read_at: Option<Duration>,
    /// The tracking ids that its key was answered with.
    pub(in crate::prove) tracking_ids: Vec<TrackingId>,
    /// Where it stands at the end of the round.
    pub(in crate::prove) standing: Standing,
    /// Why it failed, as the gateway's own code, or the first of Fineract's.
    pub(in crate::prove) code: Option<String>,
    /// Whether a fault of the round leaves it to a person.
    pub(in crate::prove) may_be_parked: bool,
    /// What track said of its end, each time it was asked.
    pub(in crate::prove) readings: Vec<String>,
    /// What was said of it as a transaction: each status that is another than the one before.
    pub(in crate::prove) told: Vec<String>,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prove) enum Standing {
    /// Nobody knows of it.
    Missing,
    /// It has not ended.
    Open,
    /// A person has to decide it.
    Parked {
        /// Why.
        reason_code: String,
    },
    /// `success`.
    Succeeded,
    /// `failed`.
    Failed {
        /// Fineract's codes.
        codes: Vec<String>,
    },
}

/// One effect in Fineract.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Effect {
    /// Its place in the order of all.
    pub(in crate::prove) seq: i64,
    /// The type of operation that has it; another writer may have others.
    pub(in crate::prove) operation_type: Option<OperationType>,
    /// The lane of the client or loan.
    pub(in crate::prove) lane: String,
    /// The transaction's external id.
    pub(in crate::prove) transaction: Option<String>,
    /// What was paid out.
    pub(in crate::prove) amount: Option<Amount>,
    /// The `Idempotency-Key` it came with.
    pub(in crate::prove) key: String,
}

/// A client or a loan as Fineract shows it.
#[derive(Clone, Debug, Default)]
pub(in crate::prove) struct Thing {
    /// A client's last name, or a loan's principal.
    pub(in crate::prove) value: String,
    /// What may be paid out.
    pub(in crate::prove) approved: Option<Amount>,
}

/// What the keys of another writer begin with.
pub(in crate::prove) const OTHER: &str = "other-";

impl Accepted {
    /// An operation that was sent at one time and whose acceptance was heard of at another.
    pub(in crate::prove) fn new(
        caller_key: String,
        request: &Request,
        sent_at: Duration,
        heard_at: Duration,
        tracking_ids: Vec<TrackingId>,
    ) -> Self {
        Self {
            caller_key,
            operation_type: request.operation_type,
            lane: request.lane.clone(),
            reads: request.reads.clone(),
            value: request.value.clone(),
            amount: request.amount,
            in_place_of: None,
            sent_at,
            heard_at,
            failure_read_at: None,
            tracking_ids,
            standing: Standing::Open,
            code: None,
            may_be_parked: false,
            readings: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Its id, by the first answer.
    pub(in crate::prove) fn id(&self) -> Option<OperationId> {
        self.tracking_ids.first().map(|tracking_id| tracking_id.id)
    }

    /// How reports name it.
    pub(super) fn name(&self) -> String {
        let id = self.tracking_ids.first();
        id.map_or_else(|| self.caller_key.clone(), ToString::to_string)
    }

    /// Whether its acceptance was heard of before the other one was sent: then it stands before it.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.heard_at < other.sent_at
    }

    /// Whether it stands in a lane with the other one, and one of them writes that lane.
    pub(super) fn shares_a_lane(&self, other: &Self) -> bool {
        self.lane == other.lane
            || self.reads.as_ref() == Some(&other.lane)
            || other.reads.as_ref() == Some(&self.lane)
    }
}

impl Effect {
    /// The operation whose key it came with, where it is one of a gateway's: `<uuid>-<k>`.
    pub(in crate::prove) fn operation(&self) -> Option<OperationId> {
        let (id, _) = self.key.rsplit_once('-')?;
        id.parse().ok().map(OperationId)
    }

    /// Whether another writer had it.
    pub(super) fn is_anothers(&self) -> bool {
        self.key.starts_with(OTHER)
    }
}

impl Books {
    /// The effects that an operation's keys had.
    pub(super) fn effects_of(&self, operation: &Accepted) -> Vec<&Effect> {
        let ids: Vec<OperationId> = operation.tracking_ids.iter().map(|id| id.id).collect();
        let is_its = |effect: &&Effect| effect.operation().is_some_and(|id| ids.contains(&id));
        self.ledger.iter().filter(is_its).collect()
    }
}
