//! Claiming operations in the statement that accepts them, for a worker of the same process.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Duration,
};

use sqlx::types::Json;

use super::NewOperation;
use crate::{
    domain::Referent,
    store::{Claimed, StartAttempt},
};

/// A worker's offer to claim an operation in the statement that accepts it.
///
/// The statement claims the operation only if the operation is admitted, is not on hold and has not passed its
/// `expires_at`, and if the epoch of Fineract's books has not changed since the offer was made. A dropped offer claims
/// nothing.
pub struct Offer {
    /// The duration of the lease.
    pub lease: Duration,
    /// The epoch of Fineract's books.
    pub epoch: i32,
    /// The first attempt, if the command is known without reading Fineract. It is committed together with the claim.
    pub attempt: Option<StartAttempt>,
    /// Runs the claimed operation. Called after the commit.
    pub run: Box<dyn FnOnce(Claimed, Option<StartAttempt>) + Send>,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").finish_non_exhaustive()
    }
}

type MakeOffer = dyn Fn(&NewOperation) -> Option<Offer> + Send + Sync;

/// The worker of this process that makes offers, if there is one. Clones share it.
#[derive(Clone, Default)]
pub(in crate::store) struct Offers(Arc<OnceLock<Box<MakeOffer>>>);

impl Offers {
    /// Sets the worker; only the first call has an effect.
    pub(in crate::store) fn set(
        &self,
        make: impl Fn(&NewOperation) -> Option<Offer> + Send + Sync + 'static,
    ) {
        drop(self.0.set(Box::new(make)));
    }

    /// The offers for a batch, in its order.
    pub(super) fn of(&self, batch: &[NewOperation]) -> Vec<Option<Offer>> {
        let Some(make) = self.0.get() else {
            return batch.iter().map(|_| None).collect();
        };
        // A panic about one payload must not end the task that accepts all operations.
        let offer = |new| catch_unwind(AssertUnwindSafe(|| make(new))).unwrap_or_default();
        batch.iter().map(offer).collect()
    }
}

/// The offers of a batch as parameters of the SQL statement: one list per column, with one entry for each operation.
#[derive(Default)]
pub(super) struct OfferColumns {
    pub(super) claims: Vec<bool>,
    pub(super) lease_seconds: f64,
    pub(super) epoch: i32,
    pub(super) usernames: Vec<Option<String>>,
    pub(super) methods: Vec<Option<String>>,
    pub(super) paths: Vec<Option<String>>,
    pub(super) bodies: Vec<Option<String>>,
    pub(super) referents: Vec<Option<Json<Vec<Referent>>>>,
}

impl OfferColumns {
    pub(super) fn of(offers: &[Option<Offer>]) -> Self {
        let mut columns = Self::default();
        // If the epoch changes while the offers are made, only the offers with the epoch of the first offer are used.
        // The other operations are accepted without a claim.
        if let Some(offer) = offers.iter().flatten().next() {
            columns.epoch = offer.epoch;
            columns.lease_seconds = offer.lease.as_secs_f64();
        }
        for offer in offers {
            let offer = offer.as_ref().filter(|offer| offer.epoch == columns.epoch);
            let attempt = offer.and_then(|offer| offer.attempt.as_ref());
            let request = attempt.map(|attempt| &attempt.request);
            columns.claims.push(offer.is_some());
            columns
                .usernames
                .push(attempt.map(|attempt| attempt.user.clone()));
            columns
                .methods
                .push(request.map(|request| request.method.as_str().to_owned()));
            columns
                .paths
                .push(request.map(|request| request.path.clone()));
            columns
                .bodies
                .push(request.and_then(|request| request.body.clone()));
            columns
                .referents
                .push(attempt.map(|attempt| Json(attempt.referents.clone())));
        }
        columns
    }
}
