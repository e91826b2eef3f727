//! Filters of the list that operators saved under a name, for all operators.

use crate::store::{Store, StoreError, patience::WithTimeout};

/// A saved filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// The name.
    pub name: String,
    /// The words of the filter bar.
    pub filter: String,
    /// The name of the operator who saved it.
    pub saved_by: String,
}

impl Store {
    /// Reads the saved filters, by name.
    pub async fn saved_views(&self) -> Result<Vec<SavedView>, StoreError> {
        sqlx::query_as!(
            SavedView,
            "SELECT name, filter, saved_by FROM ops_view ORDER BY lower(name) LIMIT 200"
        )
        .fetch_all(&self.pool)
        .or_fail_to("read the saved views")
        .await
    }

    /// Saves a filter. Returns whether it is saved: not if a view has this name, or if there are 200 views.
    pub async fn save_view(&self, view: &SavedView) -> Result<bool, StoreError> {
        sqlx::query!(
            "INSERT INTO ops_view (name, filter, saved_by)
             SELECT $1, $2, $3
              WHERE (SELECT count(*) FROM ops_view) < 200
                 ON CONFLICT (name) DO NOTHING",
            view.name,
            view.filter,
            view.saved_by
        )
        .execute(&self.pool)
        .or_fail_to("save a view")
        .await
        .map(|saved| saved.rows_affected() == 1)
    }

    /// Removes a saved filter.
    pub async fn remove_view(&self, name: &str) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM ops_view WHERE name = $1", name)
            .execute(&self.pool)
            .or_fail_to("remove a view")
            .await
            .map(drop)
    }
}
