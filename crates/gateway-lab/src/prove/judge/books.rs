//! The records of a round that the judge compares: what was accepted, what track reports, and what the ledger contains.

use std::{collections::HashMap, time::Duration};

use crate::prove::requests::Request;
use fineract_gateway::domain::{Amount, OperationId, OperationType, TrackingId};

/// All records of a round.
#[derive(Clone, Debug, Default)]
pub(in crate::prove) struct Books {
    /// The accepted operations in the order of the answers, each with the result that track reports.
    pub(in crate::prove) operations: Vec<Accepted>,
    /// Every effect in Fineract, in the order of execution.
    pub(in crate::prove) ledger: Vec<Effect>,
    /// The URLs that a gateway did not answer after all disturbances had ended.
    pub(in crate::prove) unanswered: Vec<String>,
    /// The attempts that were begun while everything was on hold.
    pub(in crate::prove) sent_on_hold: Vec<String>,
    /// Operations and batches whose events do not fit their rows.
    pub(in crate::prove) wrong_events: Vec<String>,
    /// What webhooks did not tell, or did not tell as it was.
    pub(in crate::prove) wrongly_told: Vec<String>,
    /// The clients and loans at the end of the round, by lane. A deleted client or loan has no entry.
    pub(in crate::prove) resources: HashMap<String, Resource>,
}

/// An accepted operation.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Accepted {
    /// The `Idempotency-Key` of the caller's request. For a row of a batch: a name made from the batch and the row.
    pub(in crate::prove) caller_key: String,
    /// The operation type.
    pub(in crate::prove) operation_type: OperationType,
    /// The lane that the operation writes.
    pub(in crate::prove) lane: String,
    /// The lane that the operation reads.
    pub(in crate::prove) reads: Option<String>,
    /// What Fineract must contain after the operation's effect: a client's last name, or a loan's principal. `None` if
    /// this is not compared.
    pub(in crate::prove) value: Option<String>,
    /// The amount to disburse or repay, if the request has one.
    pub(in crate::prove) amount: Option<Amount>,
    /// The operation that this operation replaces, if this operation comes from a retry of all failed rows.
    pub(in crate::prove) replaces: Option<OperationId>,
    /// When the operation was first sent, counted from the start of the round.
    pub(in crate::prove) sent_at: Duration,
    /// When the caller received the first acceptance, counted from the start of the round.
    pub(in crate::prove) acknowledged_at: Duration,
    /// When a caller first read the operation's failure, counted from the start of the round.
    pub(in crate::prove) failure_read_at: Option<Duration>,
    /// The tracking ids in the answers to the caller's `Idempotency-Key`. There must be only one.
    pub(in crate::prove) tracking_ids: Vec<TrackingId>,
    /// The status of the operation at the end of the round.
    pub(in crate::prove) status: Status,
    /// Why the operation failed: the gateway's own code, or the first code in Fineract's answer.
    pub(in crate::prove) code: Option<String>,
    /// Whether a card of the round may cause the gateway to park the operation.
    pub(in crate::prove) may_be_parked: bool,
    /// Every answer of track since the operation's end, unchanged.
    pub(in crate::prove) readings: Vec<String>,
    /// The statuses that the transactions API reported. A status that is reported several times in a row appears once.
    pub(in crate::prove) transaction_statuses: Vec<String>,
}

/// The status of an operation, as the judge sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::prove) enum Status {
    /// No gateway knows the operation.
    Missing,
    /// The operation has not ended, and is not parked.
    Open,
    /// The operation is parked.
    Parked {
        /// The reason code.
        reason_code: String,
    },
    /// Track reports `success`.
    Succeeded,
    /// Track reports `failed`.
    Failed {
        /// The codes in Fineract's answer.
        codes: Vec<String>,
    },
}

/// One effect in Fineract.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Effect {
    /// The number of the effect in the order of execution.
    pub(in crate::prove) seq: i64,
    /// The operation type with this effect. `None` for an effect that only the back office can cause.
    pub(in crate::prove) operation_type: Option<OperationType>,
    /// The lane of the client or loan.
    pub(in crate::prove) lane: String,
    /// The transaction's external id.
    pub(in crate::prove) transaction: Option<String>,
    /// The amount of the transaction.
    pub(in crate::prove) amount: Option<Amount>,
    /// The `Idempotency-Key` of the command.
    pub(in crate::prove) key: String,
}

/// A client or loan as Fineract shows it at the end of the round.
#[derive(Clone, Debug, Default)]
pub(in crate::prove) struct Resource {
    /// A client's last name, or a loan's principal.
    pub(in crate::prove) value: String,
    /// The approved principal of a loan.
    pub(in crate::prove) approved: Option<Amount>,
}

/// The prefix of the idempotency keys that the back office uses.
pub(in crate::prove) const OTHER_WRITER: &str = "other-";

impl Accepted {
    /// An accepted operation with these times, without a final status yet.
    pub(in crate::prove) fn new(
        caller_key: String,
        request: &Request,
        sent_at: Duration,
        acknowledged_at: Duration,
        tracking_ids: Vec<TrackingId>,
    ) -> Self {
        Self {
            caller_key,
            operation_type: request.operation_type,
            lane: request.lane.clone(),
            reads: request.reads.clone(),
            value: request.value.clone(),
            amount: request.amount,
            replaces: None,
            sent_at,
            acknowledged_at,
            failure_read_at: None,
            tracking_ids,
            status: Status::Open,
            code: None,
            may_be_parked: false,
            readings: Vec::new(),
            transaction_statuses: Vec::new(),
        }
    }

    /// The operation id in the first answer.
    pub(in crate::prove) fn id(&self) -> Option<OperationId> {
        self.tracking_ids.first().map(|tracking_id| tracking_id.id)
    }

    /// The operation's name in reports.
    pub(super) fn name(&self) -> String {
        let id = self.tracking_ids.first();
        id.map_or_else(|| self.caller_key.clone(), ToString::to_string)
    }

    /// Whether the caller had received the acceptance of this operation before it sent `other`. If so, this operation
    /// must come before `other` in every lane that the two operations share.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.acknowledged_at < other.sent_at
    }

    /// Whether this operation and `other` have entries in the same lane, and at least one of them writes that lane.
    pub(super) fn shares_a_lane(&self, other: &Self) -> bool {
        self.lane == other.lane
            || self.reads.as_ref() == Some(&other.lane)
            || other.reads.as_ref() == Some(&self.lane)
    }
}

impl Effect {
    /// The operation to whose idempotency key `<uuid>-<k>` the effect belongs. `None` for a key of another writer.
    pub(in crate::prove) fn operation(&self) -> Option<OperationId> {
        let (id, _) = self.key.rsplit_once('-')?;
        id.parse().ok().map(OperationId)
    }

    /// Whether another writer caused the effect.
    pub(super) fn is_by_other_writer(&self) -> bool {
        self.key.starts_with(OTHER_WRITER)
    }
}

impl Books {
    /// The effects of all commands that were sent under a key of this operation.
    pub(super) fn effects_of(&self, operation: &Accepted) -> Vec<&Effect> {
        let ids: Vec<OperationId> = operation.tracking_ids.iter().map(|id| id.id).collect();
        let is_its = |effect: &&Effect| effect.operation().is_some_and(|id| ids.contains(&id));
        self.ledger.iter().filter(is_its).collect()
    }
}
