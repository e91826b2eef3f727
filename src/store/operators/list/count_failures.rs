//! Counts of failures, read in an index alone: the failures themselves lie on pages far apart.

use super::{Count, CountBy, OperationFilter, StateFilter, count::MOST};
use crate::store::{Store, StoreError, patience::WithTimeout};

const ACTION: &str = "count failures";

impl OperationFilter {
    /// Whether the filter selects failures by nothing else than what the index has.
    fn is_about_failures(&self) -> bool {
        let failures = Self {
            state: Some(StateFilter::Failed),
            operation_type: self.operation_type.clone(),
            lender: self.lender.clone(),
            ..Self::default()
        };
        *self == failures
    }
}

impl Store {
    /// Counts failures by a property. `None`: no index has what the filter or the property needs.
    pub(super) async fn count_failures(
        &self,
        filter: &OperationFilter,
        by: CountBy,
    ) -> Result<Option<Vec<Count>>, StoreError> {
        if !filter.is_about_failures() {
            return Ok(None);
        }
        match by {
            CountBy::State | CountBy::Type | CountBy::Lender => {
                self.count_last_failures(filter, by).await.map(Some)
            }
            CountBy::ReasonCode if filter.operation_type.is_none() && filter.lender.is_none() => {
                self.count_failure_codes().await.map(Some)
            }
            CountBy::ReasonCode => Ok(None),
        }
    }

    /// Counts the last failures by state, type or lender.
    async fn count_last_failures(
        &self,
        filter: &OperationFilter,
        by: CountBy,
    ) -> Result<Vec<Count>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH last AS MATERIALIZED (
                   SELECT type, lender FROM known_operation
                    WHERE state = 'failed'
                    ORDER BY ended_at DESC, id DESC
                    LIMIT $4)
               SELECT CASE $1 WHEN 'state' THEN 'failed' WHEN 'type' THEN type ELSE lender END AS value,
                      count(*) AS "count!", (SELECT count(*) FROM last) >= $4 AS "is_more!"
                 FROM last
                WHERE ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR lender = $3)
                GROUP BY 1"#,
            by.as_str(),
            filter.operation_type,
            filter.lender,
            MOST
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let counts = rows.into_iter();
        let counts = counts.filter_map(|row| Some(Count::new(row.value?, row.count, row.is_more)));
        Ok(counts.collect())
    }

    /// Counts the failures with each reason code. The recursion jumps from code to code in the index.
    async fn count_failure_codes(&self) -> Result<Vec<Count>, StoreError> {
        let rows = sqlx::query!(
            r#"WITH RECURSIVE used AS (
                   (SELECT code FROM known_result WHERE code IS NOT NULL ORDER BY code LIMIT 1)
                    UNION ALL
                   SELECT (SELECT code FROM known_result WHERE code > used.code ORDER BY code LIMIT 1)
                     FROM used WHERE used.code IS NOT NULL)
               SELECT used.code AS "value!", found.count AS "count!"
                 FROM used, LATERAL (SELECT count(*) FROM (
                          SELECT FROM known_result k WHERE k.code = used.code LIMIT $1) counted) found
                WHERE used.code IS NOT NULL"#,
            MOST
        )
        .fetch_all(&self.pool)
        .or_fail_to(ACTION)
        .await?;
        let counts = rows.into_iter();
        let counts = counts.map(|row| Count::new(row.value, row.count, row.count >= MOST));
        Ok(counts.collect())
    }
}
