//! Counts of operations by a property, up to a limit.

use std::{collections::BTreeMap, time::Instant};

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{CHUNK, LONGEST, ListError, Listed, OperationFilter, StateFilter, Walk, Walker};
use crate::store::{Store, StoreError, patience::WithTimeout};

/// The property by which operations are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// The state.
    State,
    /// The operation type.
    Type,
    /// The lender. Operations without a lender are not counted.
    Lender,
    /// The reason code. Operations without a reason code are not counted.
    ReasonCode,
}

impl CountBy {
    /// All properties.
    pub const ALL: [Self; 4] = [Self::State, Self::Type, Self::Lender, Self::ReasonCode];

    /// The name in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Type => "type",
            Self::Lender => "lender",
            Self::ReasonCode => "reason_code",
        }
    }

    fn value(self, row: Listed) -> Option<String> {
        match self {
            Self::State => Some(row.state),
            Self::Type => Some(row.operation_type),
            Self::Lender => row.lender,
            Self::ReasonCode => row.reason_code,
        }
    }
}

/// The highest count: how many operations a walk examines.
pub(super) const MOST: i64 = 10_000;

/// How many operations have a value.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Count {
    /// The value.
    pub value: String,
    /// How many operations were found.
    pub count: i64,
    /// The count as text. A `+` at its end means that there may be more, because the count ended at its limit.
    pub text: String,
}

impl Count {
    /// Describes a count. `has_more`: it may not have counted every operation.
    pub(super) fn new(value: String, count: i64, has_more: bool) -> Self {
        let count = count.min(MOST);
        let more = if has_more { "+" } else { "" };
        Self {
            value,
            text: format!("{count}{more}"),
            count,
        }
    }
}

impl Store {
    /// Counts the operations that match the filter. The count ends after 10,000 operations, or after 100 ms; the texts
    /// then end with `+`.
    pub async fn count(
        &self,
        filter: &OperationFilter,
        by: CountBy,
    ) -> Result<Vec<Count>, ListError> {
        // Each state has an index of its own, so a rare state is counted exactly although another state is frequent.
        let parts: &[Option<StateFilter>] = match (by, filter.state, &filter.q) {
            (CountBy::State, None, None) => &[
                Some(StateFilter::Parked),
                Some(StateFilter::Open),
                Some(StateFilter::Failed),
                Some(StateFilter::Succeeded),
            ],
            _ => &[filter.state],
        };
        let started = Instant::now();
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        for (part, share) in parts.iter().zip(1_u32..) {
            let until = started + LONGEST * share / u32::try_from(parts.len()).unwrap_or(1);
            let part = OperationFilter {
                state: *part,
                ..filter.clone()
            };
            for count in self.count_part(part, by, until).await? {
                // The open operations contain the parked ones, which have been counted before.
                counts.entry(count.value.clone()).or_insert(count);
            }
        }
        Ok(counts.into_values().collect())
    }

    /// Counts those of these operations that match the filter, without reading them one by one. Conditions of the filter
    /// that are not in the row of an operation itself are left aside.
    async fn count_rows(
        &self,
        ids: &[Uuid],
        filter: &OperationFilter,
        by: CountBy,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT CASE $2 WHEN 'state' THEN o.state
                              WHEN 'type' THEN o.type
                              WHEN 'lender' THEN o.lender
                              ELSE COALESCE(o.reason_code, r.code) END AS value,
                      count(*) AS "count!"
                 FROM known_operations($1) o
                 -- Most counts do not need the results.
                 LEFT JOIN known_results(CASE WHEN $2 = 'reason_code' OR $6::text IS NOT NULL THEN $1 ELSE '{}' END) r
                   ON r.operation_id = o.id
                WHERE CASE $3::text WHEN 'open' THEN o.ended_at IS NULL
                                    WHEN 'ended' THEN o.ended_at IS NOT NULL
                                    WHEN 'on_hold' THEN o.on_hold AND o.ended_at IS NULL
                                    ELSE o.state = COALESCE($3, o.state) END
                  AND ($4::text IS NULL OR o.type = $4)
                  AND ($5::text IS NULL OR o.lender = $5)
                  AND ($6::text IS NULL OR COALESCE(o.reason_code, r.code) = $6)
                GROUP BY 1"#,
            ids,
            by.as_str(),
            filter.state.map(StateFilter::as_str),
            filter.operation_type,
            filter.lender,
            filter.reason_code
        )
        .fetch_all(&self.pool)
        .or_fail_to("count operations")
        .await?;
        let counts = rows.into_iter();
        Ok(counts
            .filter_map(|row| Some((row.value?, row.count)))
            .collect())
    }

    async fn count_part(
        &self,
        filter: OperationFilter,
        by: CountBy,
        until: Instant,
    ) -> Result<Vec<Count>, ListError> {
        if let Some(counts) = self.count_failures(&filter, by).await? {
            return Ok(counts);
        }
        let walk = Walk::choose(&filter, None)?;
        let mut walker = Walker::new(self, walk, filter, None);
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        while walker.goes_on(until) {
            for (value, count) in walker.count_next(by).await? {
                *counts.entry(value).or_default() += count;
            }
        }
        let counts = counts.into_iter();
        let counts = counts.map(|(value, count)| Count::new(value, count, !walker.is_at_end));
        Ok(counts.collect())
    }
}

impl Walker<'_> {
    /// Examines the next operations, and counts those that match.
    async fn count_next(&mut self, by: CountBy) -> Result<Vec<(String, i64)>, StoreError> {
        if self.filter.is_about_rows() {
            let found = self.walk_on(CHUNK).await?;
            let ids: Vec<_> = found.iter().map(|cursor| cursor.id).collect();
            return self.store.count_rows(&ids, &self.filter, by).await;
        }
        let matching = self.next(CHUNK).await?.into_iter();
        let values = matching.filter_map(|(_, row)| by.value(row));
        Ok(values.map(|value| (value, 1)).collect())
    }
}
