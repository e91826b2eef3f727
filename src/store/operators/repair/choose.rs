//! Chooses the operations of a repair.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{LARGEST, LeftOut, NewRepair, Preview, RepairAction, RepairError, RepairOf, SAMPLE};
use crate::store::{
    Listed, NoIndex, OperationFilter, Store,
    hex::hex,
    operators::{
        list::{CHUNK, Walk, Walker},
        possible::{Circumstances, unfit},
        seen::{Beside, Shown, read_beside, seen},
    },
    patience::WithTimeout,
};

const ACTION: &str = "choose the operations of a repair";
/// How many operations are examined to choose those of a repair.
const MOST_EXAMINED: usize = 200_000;
/// Why a filter is refused for which more would have to be examined.
const TOO_WIDE: NoIndex = NoIndex(
    "more than 200,000 operations would have to be examined: add a lane, a batch, a reason_code with its state, or a range \
     of accepted_after or ended_after",
);

/// Why an operation is left out although the action would be possible.
const SUPERSEDED: (&str, &str) = (
    "superseded",
    "A later operation of the same type in its lane is open or has succeeded. Name the operation to run it again \
     nevertheless.",
);
/// Why a failed payment is left out although the action would be possible.
const POSSIBLE_DUPLICATE: (&str, &str) = (
    "possible_duplicate",
    "A later payment of the same type in its lane has failed as well, and may be the same payment, sent again. Name the \
     operation to run both.",
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

impl Choice {
    /// A digest of the operations and of what was seen of each, in hexadecimal digits.
    pub(super) fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for chosen in &self.chosen {
            digest.update(format!("{} {}\n", chosen.listed.id, chosen.seen));
        }
        hex(&digest.finalize())
    }

    pub(super) fn preview(self) -> Preview {
        let digest = self.digest();
        let matches = self.chosen.len();
        let (mut types, mut reason_codes) = (BTreeMap::new(), BTreeMap::new());
        let mut on_hold = 0;
        for Chosen { listed, .. } in &self.chosen {
            *types.entry(listed.operation_type.clone()).or_default() += 1;
            if let Some(code) = &listed.reason_code {
                *reason_codes.entry(code.clone()).or_default() += 1;
            }
            on_hold += usize::from(listed.on_hold);
        }
        let sample = self.chosen.into_iter().take(SAMPLE);
        let mut left_out: Vec<_> = self.left_out.into_values().collect();
        left_out.sort_by_key(|left_out| left_out.code);
        Preview {
            matches,
            types,
            reason_codes,
            on_hold,
            digest,
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

impl Store {
    pub(super) async fn choose(&self, new: &NewRepair) -> Result<Choice, RepairError> {
        let mut found = match &new.operations {
            RepairOf::Filter(filter) => self.find_all(filter).await?,
            RepairOf::Selected { ids } => self.read_listed(ids).await?,
        };
        // An operation that changes while the walk goes on may be found twice.
        let mut ids = HashSet::with_capacity(found.len());
        found.retain(|listed| ids.insert(listed.id));
        found.sort_by(|one, other| (&one.lane, one.position).cmp(&(&other.lane, other.position)));
        let mut choice = Choice::default();
        let mut connection = self.pool.acquire().or_fail_to(ACTION).await?;
        for chunk in found.chunks(CHUNK) {
            let ids: Vec<Uuid> = chunk.iter().map(|listed| listed.id).collect();
            let mut beside = read_beside(&mut connection, &ids, None).await?;
            for listed in chunk {
                let beside = beside.remove(&listed.id).unwrap_or_default();
                choice.add(new, listed, &beside);
            }
        }
        Ok(choice)
    }

    /// Every operation that matches a filter.
    async fn find_all(&self, filter: &OperationFilter) -> Result<Vec<Listed>, RepairError> {
        let walk = Walk::choose(filter, None).map_err(RepairError::NoIndex)?;
        let mut walker = Walker::new(self, walk, filter.clone(), None);
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
            if walker.examined() > MOST_EXAMINED && !walker.is_at_end() {
                return Err(RepairError::NoIndex(TOO_WIDE));
            }
        }
        Ok(found)
    }
}

impl Choice {
    fn add(&mut self, new: &NewRepair, listed: &Listed, beside: &Beside) {
        let around = Circumstances {
            retried_by: beside.retried_by.as_ref(),
            was_sent: listed.sent,
            is_past_expiry: beside.is_past_expiry && new.options.expires_at.is_none(),
            is_erased: beside.is_erased,
        };
        if let Some(unfit) = unfit(new.action, (listed.state.as_str(), listed.on_hold), &around) {
            return self.leave_out(unfit.code(), unfit.to_string(), listed);
        }
        let is_named = new.named.contains(&listed.id);
        let doubt = match beside {
            _ if new.action != RepairAction::Retry || is_named => None,
            beside if beside.is_superseded => Some(SUPERSEDED),
            beside => beside.may_be_duplicate.then_some(POSSIBLE_DUPLICATE),
        };
        if let Some((code, why)) = doubt {
            return self.leave_out(code, why.to_owned(), listed);
        }
        let shown = Shown {
            state: &listed.state,
            on_hold: listed.on_hold,
            reason_code: listed.reason_code.as_deref(),
            reason_since: listed.reason_since,
        };
        self.chosen.push(Chosen {
            seen: seen(&shown, beside),
            listed: listed.clone(),
        });
    }
}
