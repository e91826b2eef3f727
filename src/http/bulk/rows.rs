//! The rows of an upload: each checked as a single operation is, and gathered.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::{
    csv_payload::merged,
    error::{At, RowProblems},
};
use crate::{
    domain::{Checked, Lane, OperationId},
    operations::{self, Deployment, Entry, InvalidPayload, Problem},
    store::{NewOperation, NewRow, RefusedRow, RowContent},
};

/// Why a row was refused at the door.
const INVALID: &str = "invalid_row";
/// Why those that rest on it were: the same code as when they fall later.
const BEHIND: &str = "behind_failed";
/// The most problems that a row's own message names.
const NAMED: usize = 10;

/// The rows of an upload, in its order.
#[derive(Debug)]
pub(super) struct Rows {
    deployment: Arc<Deployment>,
    client: String,
    limit: usize,
    /// The rows, as they are taken if the good ones are asked for.
    pub(super) taken: Vec<NewRow>,
    /// What is wrong with the others.
    pub(super) problems: RowProblems,
    /// Whether it is not certain where rows begin and end, so that not even the good ones can be taken.
    pub(super) is_unreadable: bool,
    /// Whether there were more than a batch may have.
    pub(super) too_many: bool,
    /// The lanes in which a row was refused that others rest on, and which row.
    felled: HashMap<Lane, i32>,
}

/// A row as it was read.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    /// The caller's own name for it.
    pub(super) consent_id: Option<String>,
    /// Until when it may be sent.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Its type's entry, where the type is known.
    pub(super) entry: Option<&'static Entry>,
    /// Its payload, where it has one.
    pub(super) data: Option<&'a RawValue>,
    /// The line of the file in which it begins, where the file has lines.
    pub(super) line: Option<usize>,
    /// What is wrong with what stands around the payload, or with the cells that it was made of.
    pub(super) problems: Vec<Problem>,
}

impl Rows {
    pub(super) fn new(deployment: Arc<Deployment>, client: String, limit: usize) -> Self {
        Self {
            deployment,
            client,
            limit,
            taken: Vec::new(),
            problems: RowProblems::default(),
            is_unreadable: false,
            too_many: false,
            felled: HashMap::new(),
        }
    }

    pub(super) fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The most rows a batch may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Notes why the rows cannot be read, or not to their end.
    pub(super) fn break_off(&mut self, at: At, problems: Vec<Problem>) {
        self.is_unreadable = true;
        self.problems.put_first(at, problems);
    }

    /// Checks a row and adds it. Those that are too many are only noted: who sends a batch again that came in
    /// under a larger limit is still to be known by what stands behind them.
    pub(super) fn add(&mut self, mut draft: Draft<'_>) {
        if self.taken.len() >= self.limit {
            self.too_many = true;
            return;
        }
        let number = i32::try_from(self.taken.len() + 1).unwrap_or(i32::MAX);
        let checked = draft
            .entry
            .zip(draft.data)
            .map(|(entry, data)| (entry.check)(data, &self.deployment));
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

    /// A good row runs, unless it rests on one that does not.
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
            .find_map(|lane| self.felled.get(lane))
            .copied();
        let Some(cause) = cause else {
            return RowContent::Operation(Box::new(NewOperation {
                id: OperationId::new(),
                operation_type: entry.operation_type,
                payload: data.to_owned(),
                checked,
                caller: self.client.clone(),
                caller_key: None,
                retry_of: None,
                expires_at,
            }));
        };
        if operations::fails_dependents_unsent(entry.operation_type) {
            self.felled.entry(lanes.writes.clone()).or_insert(number);
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
            self.felled.entry(lane.clone()).or_insert(number);
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
