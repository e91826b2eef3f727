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

    /// Saves a filter. A view with the same name is replaced.
    pub async fn save_view(&self, view: &SavedView) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO ops_view (name, filter, saved_by)
             VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE
                SET filter = excluded.filter, saved_by = excluded.saved_by, saved_at = now()",
            view.name,
            view.filter,
            view.saved_by
        )
        .execute(&self.pool)
        .or_fail_to("save a view")
        .await
        .map(drop)
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
