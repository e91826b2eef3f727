//! Counts of operations by a property, up to a limit.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;

use super::{
    CHUNK, LONGEST, ListError, Listed, MOST_EXAMINED, OperationFilter, StateFilter, Walk, Walker,
};
use crate::store::Store;

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

/// How many operations have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The value.
    pub value: String,
    /// How many operations were found.
    pub count: usize,
    /// The count as text. A `+` at its end means that there may be more, because the count ended at its limit.
    pub text: String,
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

    async fn count_part(
        &self,
        filter: OperationFilter,
        by: CountBy,
        until: Instant,
    ) -> Result<Vec<Count>, ListError> {
        let walk = Walk::choose(&filter, None)?;
        let mut walker = Walker::new(self, walk, filter, None);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        while walker.goes_on(until) {
            for (_, row) in walker.next(CHUNK).await? {
                if let Some(value) = by.value(row) {
                    *counts.entry(value).or_default() += 1;
                }
            }
        }
        let more = if walker.is_at_end { "" } else { "+" };
        let counts = counts.into_iter().map(|(value, count)| Count {
            value,
            count: count.min(MOST_EXAMINED),
            text: format!("{}{more}", count.min(MOST_EXAMINED)),
        });
        Ok(counts.collect())
    }
}
