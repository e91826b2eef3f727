//! The rows of an upload. Each is checked like a single operation.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::{
    csv_payload::merged,
    error::{At, RowProblems},
};
use crate::{
    domain::{Checked, Lane, OperationId},
    http::access::Caller,
    operations::{self, Deployment, Entry, InvalidPayload, Problem},
    store::{NewOperation, NewRow, RefusedRow, RowContent},
};

/// The code of a row that is not valid.
const INVALID: &str = "invalid_row";
/// The code of a row that depends on an invalid row. Other dependency failures have this code too.
const BEHIND: &str = "behind_failed";
/// How many problems the message of a row contains at most.
const NAMED: usize = 10;

/// The rows of an upload, in its order.
#[derive(Debug)]
pub(super) struct Rows {
    deployment: Arc<Deployment>,
    caller: Caller,
    limit: usize,
    /// The rows that were read, at most `limit`. Each of them is either an operation to run, or a refused row with the
    /// reason.
    pub(super) taken: Vec<NewRow>,
    /// The problems of the rows that are not valid.
    pub(super) problems: RowProblems,
    /// Whether the gateway cannot determine where rows begin and end. If so, it cannot accept the valid rows either.
    pub(super) is_unreadable: bool,
    /// Whether the upload has more rows than a batch may have.
    pub(super) too_many: bool,
    /// The lanes in which a refused row fails its dependents, each with the number of the refused row.
    failed_lanes: HashMap<Lane, i32>,
}

/// A row as it was read, before its check.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    /// The client's own name for the row.
    pub(super) consent_id: Option<String>,
    /// The time after which the gateway no longer sends the operation.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// The registry entry of the row's operation type, if the type is known.
    pub(super) entry: Option<&'static Entry>,
    /// The row's payload, if the row has one.
    pub(super) data: Option<&'a RawValue>,
    /// The line of the file in which the row begins, from 1; only for CSV and NDJSON.
    pub(super) line: Option<usize>,
    /// Problems of the row's other fields, and of the cells from which the payload was built.
    pub(super) problems: Vec<Problem>,
}

impl Rows {
    pub(super) fn new(deployment: Arc<Deployment>, caller: Caller, limit: usize) -> Self {
        Self {
            deployment,
            caller,
            limit,
            taken: Vec::new(),
            problems: RowProblems::default(),
            is_unreadable: false,
            too_many: false,
            failed_lanes: HashMap::new(),
        }
    }

    pub(super) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The largest number of rows in a batch.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Records why the rows cannot be read, or why they cannot be read to the end.
    pub(super) fn break_off(&mut self, at: At, problems: Vec<Problem>) {
        self.is_unreadable = true;
        self.problems.put_first(at, problems);
    }

    /// Checks a row and adds it. A row beyond the limit only sets [`too_many`](Self::too_many), and reading continues.
    /// There are two reasons: a batch that was accepted under a larger limit must still be recognised when it is sent
    /// again, and the `reference_id` may come after the rows.
    pub(super) fn add(&mut self, mut draft: Draft<'_>) {
        if self.taken.len() >= self.limit {
            self.too_many = true;
            return;
        }
        let number = i32::try_from(self.taken.len() + 1).unwrap_or(i32::MAX);
        let checked = draft
            .entry
            .zip(draft.data)
            .map(|(entry, data)| self.check(entry, data));
        let (is_good, expires_at) = (draft.problems.is_empty(), draft.expires_at);
        let content = match (draft.entry, draft.data, checked) {
            (Some(entry), Some(data), Some(Ok(checked))) if is_good => {
                self.take(number, (entry, data), checked, expires_at)
            }
            (_, _, checked) => {
                let theirs = match checked {
                    Some(Err(InvalidPayload { problems })) => problems,
                    Some(Ok(_)) | None => Vec::new(),
                };
                let problems = merged(std::mem::take(&mut draft.problems), theirs);
                self.refuse(number, &draft, problems)
            }
        };
        self.taken.push(NewRow {
            consent_id: draft.consent_id,
            content,
        });
    }

    /// Checks the payload of a row, and whether the caller may send it.
    fn check(&self, entry: &Entry, data: &RawValue) -> Result<Checked, InvalidPayload> {
        let checked = (entry.check)(data, &self.deployment)?;
        match self.caller.check_sending(entry.operation_type, &checked) {
            Ok(()) => Ok(checked),
            Err(not) => Err(InvalidPayload {
                problems: vec![Problem {
                    pointer: not.pointer().to_owned(),
                    code: not.code(),
                    message: not.must().to_owned(),
                }],
            }),
        }
    }

    /// The content of a valid row: an operation, or a refusal if the row depends on a refused row.
    fn take(
        &mut self,
        number: i32,
        (entry, data): (&Entry, &RawValue),
        checked: Checked,
        expires_at: Option<DateTime<Utc>>,
    ) -> RowContent {
        let lanes = &checked.lanes;
        let cause = std::iter::once(&lanes.writes)
            .chain(&lanes.reads)
            .find_map(|lane| self.failed_lanes.get(lane))
            .copied();
        let Some(cause) = cause else {
            return RowContent::Operation(Box::new(NewOperation {
                id: OperationId::new(),
                operation_type: entry.operation_type,
                payload: data.to_owned(),
                checked,
                caller: self.caller.owner.bulk_client(),
                caller_key: None,
                retry_of: None,
                expires_at,
                trace_parent: None,
            }));
        };
        if operations::fails_dependents_unsent(entry.operation_type) {
            self.failed_lanes
                .entry(lanes.writes.clone())
                .or_insert(number);
        }
        RowContent::Refused(Box::new(RefusedRow {
            operation_type: Some(entry.operation_type),
            lane: Some(checked.lanes.writes),
            data: Some(data.to_owned()),
            names: None,
            expires_at,
            code: BEHIND,
            message: format!("Not sent: record {cause}, on which it depends, failed"),
        }))
    }

    fn refuse(&mut self, number: i32, draft: &Draft<'_>, problems: Vec<Problem>) -> RowContent {
        let Draft { entry, data, .. } = *draft;
        let operation_type = entry.map(|entry| entry.operation_type);
        let lane = operation_type
            .zip(data)
            .and_then(|(operation_type, data)| operations::named_lane(operation_type, data));
        if let Some(lane) = &lane
            && operation_type.is_some_and(operations::fails_dependents_unsent)
        {
            self.failed_lanes.entry(lane.clone()).or_insert(number);
        }
        let named: Vec<String> = problems
            .iter()
            .take(NAMED)
            .map(|problem| format!("{} {}", problem.pointer, problem.message))
            .collect();
        let at = At {
            row: Some(number),
            line: draft.line,
        };
        self.problems.add(at, problems);
        RowContent::Refused(Box::new(RefusedRow {
            operation_type,
            lane,
            data: None,
            names: data.map(|data| operations::names_of(data).into_iter().collect()),
            expires_at: draft.expires_at,
            code: INVALID,
            message: format!("Not accepted: {}", named.join("; ")),
        }))
    }
}
