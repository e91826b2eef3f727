//! Lists of operations, for operators: pages, and counts.
//!
//! A list walks along one index. It reads the operations that the index finds, and checks the other conditions of the
//! filter on each. So each condition works together with each other one, and each page needs a bounded amount of work: it
//! ends after [`MOST_EXAMINED`] operations or [`LONGEST`], with a cursor for the rest.

mod by_id;
mod by_time;
mod count;
mod count_failures;
mod cursor;
mod filter;
mod rows;
mod search;
mod sort;
mod walk;

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use self::walk::Range;
use crate::store::{Store, StoreError};

pub(super) use self::walk::Walk;
pub use self::{
    count::{Count, CountBy},
    cursor::ListCursor,
    filter::{OperationFilter, StateFilter},
    rows::Listed,
    sort::Sort,
    walk::NoIndex,
};

/// How many operations a page examines at most.
const MOST_EXAMINED: usize = 10_000;
/// After this time, a page ends with what it has found. The last chunk is not interrupted.
const LONGEST: Duration = Duration::from_millis(100);
/// How many operations are read together when the filter has conditions that the index does not serve.
pub(super) const CHUNK: usize = 1_000;

/// What a page contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Which operations.
    pub filter: OperationFilter,
    /// In which order. `None`: in the order of the index that serves the filter best.
    pub sort: Option<Sort>,
    /// How many operations, at most.
    pub limit: usize,
    /// The page begins after this operation.
    pub after: Option<ListCursor>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "OperationPage")]
pub struct ListPage {
    /// The operations. There may be fewer than the limit, or none, although `next_cursor` is set.
    pub operations: Vec<Listed>,
    /// Where the next page begins; `None` on the last page.
    pub next_cursor: Option<ListCursor>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No index serves the filter in this order.
    #[error("no index serves this list")]
    NoIndex(NoIndex),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoIndex> for ListError {
    fn from(error: NoIndex) -> Self {
        Self::NoIndex(error)
    }
}

impl Store {
    /// Lists operations. The order does not change while operations run and end; an operation that meets the filter the
    /// whole time is on exactly one page.
    pub async fn list(&self, request: &ListRequest) -> Result<ListPage, ListError> {
        let walk = Walk::choose(&request.filter, request.sort)?;
        let mut walker = Walker::new(self, walk, request.filter.clone(), request.after);
        let until = Instant::now() + LONGEST;
        let mut operations: Vec<(ListCursor, Listed)> = Vec::new();
        // One more than the page has tells whether there is another page.
        let mut chunk = request.limit + 1;
        while operations.len() <= request.limit && walker.goes_on(until) {
            operations.extend(walker.next(chunk).await?);
            chunk = CHUNK;
        }
        let next_cursor = if operations.len() > request.limit {
            operations.truncate(request.limit);
            operations.last().map(|(cursor, _)| *cursor)
        } else {
            walker.rest()
        };
        Ok(ListPage {
            operations: operations.into_iter().map(|(_, listed)| listed).collect(),
            next_cursor,
        })
    }
}

/// A walk in progress.
pub(super) struct Walker<'a> {
    store: &'a Store,
    walk: Walk,
    filter: OperationFilter,
    /// The last operation that was examined.
    last: Option<ListCursor>,
    examined: usize,
    is_at_end: bool,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        store: &'a Store,
        walk: Walk,
        filter: OperationFilter,
        after: Option<ListCursor>,
    ) -> Self {
        Self {
            store,
            walk,
            filter,
            last: after,
            examined: 0,
            is_at_end: false,
        }
    }

    /// Whether there may be more operations, and the walk may go on.
    fn goes_on(&self, until: Instant) -> bool {
        let is_first = self.examined == 0;
        !self.is_at_end && (is_first || (self.examined < MOST_EXAMINED && Instant::now() < until))
    }

    /// Whether the walk has found every operation.
    pub(super) const fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// How many operations were examined.
    pub(super) const fn examined(&self) -> usize {
        self.examined
    }

    /// Examines at most `count` operations, and returns those that match.
    pub(super) async fn next(
        &mut self,
        count: usize,
    ) -> Result<Vec<(ListCursor, Listed)>, StoreError> {
        let found = self.walk_on(count).await?;
        let ids: Vec<_> = found.iter().map(|cursor| cursor.id).collect();
        let rows = self.store.read_listed(&ids).await?;
        let mut cursors = found.into_iter();
        let matching = rows.into_iter().filter_map(|listed| {
            let cursor = cursors.find(|cursor| cursor.id == listed.id)?;
            self.filter.matches(&listed).then_some((cursor, listed))
        });
        Ok(matching.collect())
    }

    /// Finds the next operations along the index, at most `count`.
    async fn walk_on(&mut self, count: usize) -> Result<Vec<ListCursor>, StoreError> {
        let range = Range::new(&self.filter, self.last);
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let found = self.store.walk_on(&self.walk, &range, limit).await?;
        self.is_at_end = found.len() < count;
        self.examined += found.len().max(1);
        self.last = found.last().copied().or(self.last);
        Ok(found)
    }

    /// Where the next page begins, if this page ended because of its limits.
    fn rest(&self) -> Option<ListCursor> {
        self.last.filter(|_| !self.is_at_end)
    }
}
