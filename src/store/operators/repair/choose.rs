//! Chooses the operations of a repair.

use std::collections::HashMap;

use uuid::Uuid;

use super::{LARGEST, LeftOut, NewRepair, Preview, RepairAction, RepairError, SAMPLE};
use crate::store::{
    Listed, Store, StoreError, TrackingName,
    operators::{
        list::{CHUNK, Walk, Walker},
        possible::{Circumstances, unfit},
    },
    patience::WithTimeout,
};

/// Why an operation is left out although the action would be possible.
const SUPERSEDED: (&str, &str) = (
    "superseded",
    "A later operation of the same type in its lane is open or has succeeded. Name the operation to run it again \
     nevertheless.",
);

/// An operation that a repair would act on, with what was seen of it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) listed: Listed,
    pub(super) seen: String,
}

/// The operations of a repair, in the order of lanes, and those that are left out.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) chosen: Vec<Chosen>,
    left_out: HashMap<&'static str, LeftOut>,
}

/// What the database tells about an operation beside its row in a list.
#[derive(Debug, Default)]
struct Beside {
    retried_by: Option<TrackingName>,
    is_past_expiry: bool,
    is_superseded: bool,
}

impl Choice {
    pub(super) fn preview(self) -> Preview {
        let matches = self.chosen.len();
        let sample = self.chosen.into_iter().take(SAMPLE);
        let mut left_out: Vec<_> = self.left_out.into_values().collect();
        left_out.sort_by_key(|left_out| left_out.code);
        Preview {
            matches,
            sample: sample.map(|chosen| chosen.listed).collect(),
            left_out,
        }
    }

    fn leave_out(&mut self, code: &'static str, why: String, listed: &Listed) {
        let left_out = self.left_out.entry(code).or_insert_with(|| LeftOut {
            code,
            why,
            count: 0,
            sample: Vec::new(),
        });
        left_out.count += 1;
        if left_out.sample.len() < SAMPLE {
            left_out.sample.push(listed.tracking_id.clone());
        }
    }
}

/// What is kept of an operation to notice a change. Admission and retries change open operations by themselves, and are
/// no such change.
fn seen(listed: &Listed, beside: &Beside) -> String {
    let state = match listed.state.as_str() {
        "waiting" | "ready" => "open",
        state => state,
    };
    let reason = listed.reason_code.as_deref().filter(|_| state == "parked");
    let since = listed.reason_since.filter(|_| state == "parked");
    let since = since.map_or(0, |since| since.timestamp_micros());
    let (hold, superseded) = (listed.on_hold, beside.is_superseded);
    let retried = beside.retried_by.is_some();
    format!(
        "{state} hold={hold} reason={} since={since} superseded={superseded} retried={retried}",
        reason.unwrap_or_default()
    )
}

impl Store {
    pub(super) async fn choose(&self, new: &NewRepair) -> Result<Choice, RepairError> {
        let walk = Walk::choose(&new.filter, None).map_err(RepairError::NoIndex)?;
        let mut walker = Walker::new(self, walk, new.filter.clone(), None);
        let mut found: Vec<Listed> = Vec::new();
        while !walker.is_at_end() {
            found.extend(
                walker
                    .next(CHUNK)
                    .await?
                    .into_iter()
                    .map(|(_, listed)| listed),
            );
            if found.len() > LARGEST {
                return Err(RepairError::TooMany);
            }
        }
        found.sort_by(|one, other| (&one.lane, one.position).cmp(&(&other.lane, other.position)));
        let mut choice = Choice::default();
        for chunk in found.chunks(CHUNK) {
            let ids: Vec<Uuid> = chunk.iter().map(|listed| listed.id).collect();
            let mut beside = self.beside(&ids, None).await?;
            for listed in chunk {
                let beside = beside.remove(&listed.id).unwrap_or_default();
                choice.add(new, listed, &beside);
            }
        }
        Ok(choice)
    }

    /// What can be seen of an operation now, to compare with what was seen when the repair was started.
    pub(super) async fn see(&self, repair: Uuid, id: Uuid) -> Result<Option<String>, StoreError> {
        let Some(listed) = self.read_listed(&[id]).await?.pop() else {
            return Ok(None);
        };
        let mut beside = self.beside(&[id], Some(repair)).await?;
        let beside = beside.remove(&id).unwrap_or_default();
        Ok(Some(seen(&listed, &beside)))
    }

    /// Reads what decides about an action beside the row in a list. Operations that this repair has accepted to run
    /// failed ones again supersede nothing.
    async fn beside(
        &self,
        ids: &[Uuid],
        repair: Option<Uuid>,
    ) -> Result<HashMap<Uuid, Beside>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT o.id AS "id!", COALESCE(o.expires_at <= now(), false) AS "is_past_expiry!",
                      r.id AS "retry_id?", r.type AS "retry_type?",
                      o.state = 'failed' AND EXISTS (
                          SELECT FROM payload p
                            JOIN operation x ON x.id = p.operation_id
                           WHERE p.lane = o.lane AND x.position > o.position AND x.type = o.type AND x.state <> 'failed'
                             AND NOT EXISTS (SELECT FROM repair_row m
                                              WHERE m.repair_id = $2 AND m.operation_id = x.retry_of)
                      ) AS "is_superseded!"
                 FROM operation o
                 LEFT JOIN operation r ON r.retry_of = o.id
                WHERE o.id = ANY ($1)"#,
            ids,
            repair
        )
        .fetch_all(&self.pool)
        .or_fail_to("look at the operations of a repair")
        .await?;
        let rows = rows.into_iter().map(|row| {
            let retry = row.retry_id.zip(row.retry_type);
            let beside = Beside {
                retried_by: retry.map(|(id, name)| TrackingName::new(&name, id)),
                is_past_expiry: row.is_past_expiry,
                is_superseded: row.is_superseded,
            };
            (row.id, beside)
        });
        Ok(rows.collect())
    }
}

impl Choice {
    fn add(&mut self, new: &NewRepair, listed: &Listed, beside: &Beside) {
        let around = Circumstances {
            retried_by: beside.retried_by.as_ref(),
            was_sent: listed.sent,
            is_past_expiry: beside.is_past_expiry && new.options.expires_at.is_none(),
        };
        if let Some(unfit) = unfit(new.action, (listed.state.as_str(), listed.on_hold), &around) {
            return self.leave_out(unfit.code(), unfit.to_string(), listed);
        }
        let is_named = new.named.contains(&listed.id);
        if new.action == RepairAction::Retry && beside.is_superseded && !is_named {
            let (code, why) = SUPERSEDED;
            return self.leave_out(code, why.to_owned(), listed);
        }
        self.chosen.push(Chosen {
            seen: seen(listed, beside),
            listed: listed.clone(),
        });
    }
}
