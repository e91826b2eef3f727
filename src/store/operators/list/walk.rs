//! Walks along one index, in the order of a list. The conditions of a filter for which the walk does not use an index
//! are checked on each row afterwards (`OperationFilter::matches`). `migrations/0004_operators.sql`, `0007_search.sql` and
//! `0009_failures.sql` have the indexes.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{ListCursor, OperationFilter, Sort, StateFilter};
use crate::{
    domain::Lane,
    store::{Store, StoreError},
};

pub(super) const ACTION: &str = "walk along the index of a list";

/// How long before `accepted_at` an operation's id may have been generated. The gateway generates it when the request
/// begins, by its own clock; a slow body takes minutes, and the acceptance may wait for a lock.
const SLACK_BEFORE: TimeDelta = TimeDelta::minutes(5);
/// How far the time in an operation's id may be ahead of `accepted_at`, which is the time of the database.
const SLACK_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The reason why no index serves a list: what the caller has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoIndex(pub &'static str);

/// The index along which a list walks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::operators) enum Walk {
    /// What `q` has to find.
    Search(String),
    Lanes(Vec<String>),
    Batch(Uuid),
    Parked,
    OnHold,
    Open,
    Failed,
    FailedWith(String),
    Ended,
    Lender(String),
    Caller(String),
    All,
}

impl Walk {
    /// Chooses the most selective index that serves the filter in this order. Without `sort`, the index decides the
    /// order.
    pub(in crate::store::operators) fn choose(
        filter: &OperationFilter,
        sort: Option<Sort>,
    ) -> Result<Self, NoIndex> {
        if filter.reason_code.is_some()
            && filter.state.is_none()
            && !filter.has_few_rows()
            && sort != Some(Sort::Accepted)
        {
            return Err(NoIndex(
                "reason_code needs a state as well: state=parked, state=failed or state=open; or sort=accepted",
            ));
        }
        let walks = Self::possible(filter);
        let wanted = |walk: &Self| sort.is_none_or(|sort| walk.sort() == sort);
        walks.into_iter().find(wanted).ok_or(NoIndex(
            "no index serves this sort with this filter: sort=ended needs operations that have ended, sort=parked needs \
             state=parked, sort=on_hold needs state=on_hold, and sort=batch_row needs batch",
        ))
    }

    /// Every walk that finds all operations of the filter, the most selective first.
    fn possible(filter: &OperationFilter) -> Vec<Self> {
        let mut walks = Vec::new();
        if let Some(q) = &filter.q {
            return vec![Self::Search(q.clone())];
        }
        if let Some(lane) = &filter.lane {
            walks.push(Self::Lanes(vec![lane.clone()]));
        } else if let Some(id) = &filter.external_id {
            let lanes = [Lane::client(id), Lane::loan(id)];
            walks.push(Self::Lanes(lanes.map(|lane| lane.to_string()).to_vec()));
        }
        walks.extend(filter.batch.map(Self::Batch));
        match filter.state {
            Some(StateFilter::Parked) => walks.extend([Self::Parked, Self::Open]),
            Some(StateFilter::OnHold) => walks.extend([Self::OnHold, Self::Open]),
            Some(
                StateFilter::Waiting
                | StateFilter::Ready
                | StateFilter::Running
                | StateFilter::Open,
            ) => walks.push(Self::Open),
            Some(StateFilter::Failed) => {
                walks.extend(filter.reason_code.clone().map(Self::FailedWith));
                walks.push(Self::Failed);
            }
            Some(StateFilter::Succeeded | StateFilter::Ended) => walks.push(Self::Ended),
            None if filter.ended_after.or(filter.ended_before).is_some() => walks.push(Self::Ended),
            None => {}
        }
        walks.extend(filter.lender.clone().map(Self::Lender));
        walks.extend(filter.caller.clone().map(Self::Caller));
        walks.push(Self::All);
        walks
    }

    /// The order in which the walk finds operations.
    pub(super) const fn sort(&self) -> Sort {
        match self {
            Self::Search(_)
            | Self::Lanes(_)
            | Self::Open
            | Self::FailedWith(_)
            | Self::Lender(_)
            | Self::Caller(_)
            | Self::All => Sort::Accepted,
            Self::Failed | Self::Ended => Sort::Ended,
            Self::Parked => Sort::Parked,
            Self::OnHold => Sort::OnHold,
            Self::Batch(_) => Sort::BatchRow,
        }
    }
}

impl OperationFilter {
    /// Whether an index finds only a few rows: those of a lane, of a batch or of a search.
    const fn has_few_rows(&self) -> bool {
        self.lane.is_some()
            || self.external_id.is_some()
            || self.batch.is_some()
            || self.q.is_some()
    }
}

/// The part of an index that a walk has to read.
#[derive(Debug)]
pub(super) struct Range {
    /// The walk continues after this operation.
    after: Option<ListCursor>,
    /// Operations with a lower id were accepted before `accepted_after`.
    pub(super) lowest: Uuid,
    /// Operations with this id or a higher one were accepted after `accepted_before`, or were already on a page.
    pub(super) below: Uuid,
    pub(super) accepted_after: Option<DateTime<Utc>>,
    pub(super) ended_after: Option<DateTime<Utc>>,
    pub(super) ended_before: Option<DateTime<Utc>>,
}

impl Range {
    pub(super) fn new(filter: &OperationFilter, after: Option<ListCursor>) -> Self {
        let lowest = filter
            .accepted_after
            .and_then(|at| first_id(at, -SLACK_BEFORE));
        let below = filter
            .accepted_before
            .and_then(|at| first_id(at, SLACK_AFTER));
        let below = below.unwrap_or(Uuid::max());
        Self {
            after,
            lowest: lowest.unwrap_or(Uuid::nil()),
            below: after.map_or(below, |after| below.min(after.id)),
            accepted_after: filter.accepted_after,
            ended_after: filter.ended_after,
            ended_before: filter.ended_before,
        }
    }

    /// The rank of the last operation, if the walk is in the order of a time.
    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        self.after.and_then(ListCursor::time)
    }

    /// The number of the last row, if the walk is along a batch.
    pub(super) fn row(&self) -> i32 {
        let rank = self.after.map_or(0, |after| after.rank);
        i32::try_from(rank).unwrap_or(i32::MAX)
    }

    /// The last operation.
    pub(super) fn id(&self) -> Option<Uuid> {
        self.after.map(|after| after.id)
    }
}

/// The lowest UUID of version 7 that can be generated at a time. `None`: the time is too far from the present.
fn first_id(at: DateTime<Utc>, plus: TimeDelta) -> Option<Uuid> {
    let millis = at.checked_add_signed(plus)?.timestamp_millis();
    let millis = u64::try_from(millis)
        .ok()
        .filter(|millis| *millis < 1 << 48)?;
    Some(Uuid::from_u128(u128::from(millis) << 80))
}

impl Store {
    /// The next operations of a walk, at most `count`. Fewer than `count` operations mean that the walk is at its end.
    pub(super) async fn walk_on(
        &self,
        walk: &Walk,
        range: &Range,
        count: i64,
    ) -> Result<Vec<ListCursor>, StoreError> {
        let ids = match walk {
            Walk::Batch(id) => return self.walk_batch(*id, range, count).await,
            Walk::Parked => return self.walk_parked(range, count).await,
            Walk::OnHold => return self.walk_on_hold(range, count).await,
            Walk::Failed => return self.walk_failed(range, count).await,
            Walk::Ended => return self.walk_ended(range, count).await,
            Walk::Search(q) => self.walk_search(q, range, count).await?,
            Walk::Lanes(lanes) => self.walk_lanes(lanes, range, count).await?,
            Walk::FailedWith(code) => self.walk_failed_with(code, range, count).await?,
            Walk::Lender(lender) => self.walk_lender(lender, range, count).await?,
            Walk::Caller(caller) => self.walk_caller(caller, range, count).await?,
            Walk::Open => self.walk_open(range, count).await?,
            Walk::All => self.walk_all(range, count).await?,
        };
        Ok(ids.into_iter().map(ListCursor::by_id).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(change: impl FnOnce(&mut OperationFilter)) -> OperationFilter {
        let mut filter = OperationFilter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn the_most_selective_index_in_the_wanted_order_is_chosen() {
        let failed = |filter: &mut OperationFilter| filter.state = Some(StateFilter::Failed);
        let refused = filter(|filter| {
            failed(filter);
            filter.reason_code = Some("refused".to_owned());
            filter.caller = Some("los".to_owned());
        });
        let of_lane = filter(|filter| {
            failed(filter);
            filter.lane = Some("loan:l".to_owned());
        });
        for (filter, sort, walk) in [
            (OperationFilter::default(), None, Walk::All),
            (filter(failed), None, Walk::Failed),
            (filter(failed), Some(Sort::Ended), Walk::Failed),
            (filter(failed), Some(Sort::Accepted), Walk::All),
            (
                refused.clone(),
                None,
                Walk::FailedWith("refused".to_owned()),
            ),
            (refused, Some(Sort::Ended), Walk::Failed),
            (of_lane, None, Walk::Lanes(vec!["loan:l".to_owned()])),
        ] {
            assert_eq!(Walk::choose(&filter, sort), Ok(walk), "{filter:?}");
        }
        let parked = Some(Sort::Parked);
        assert!(Walk::choose(&OperationFilter::default(), parked).is_err());
    }

    #[test]
    fn times_of_acceptance_become_ids_with_slack() {
        let at = DateTime::from_timestamp_millis(1_750_000_000_000).unwrap();
        let range = Range::new(
            &filter(|filter| {
                filter.accepted_after = Some(at);
                filter.accepted_before = Some(at);
            }),
            None,
        );
        let millis = |id: Uuid| id.as_u128() >> 80;
        assert_eq!(millis(range.lowest), 1_749_999_700_000);
        assert_eq!(millis(range.below), 1_750_000_060_000);
    }
}
