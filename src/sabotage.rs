//! Deliberate errors of a gateway of the lab, which `prove` must detect.
//!
//! Compiled only with the feature `sabotage`. The code that makes an error asks [`is`] whether to make it.

use std::{str::FromStr, sync::OnceLock};

/// A deliberate error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// If the answer alone does not decide, treats the effect as absent without reading Fineract.
    NoReconcile,
    /// Lets any worker write a completion, not only the owner of the operation.
    NoFence,
    /// Sends a command again under a new key if Fineract did not answer.
    NewKeyAfterUnknown,
    /// Sends a command again under a new key after a cached 409.
    NewKeyOnCached409,
    /// Sends a payment without checking what was already paid.
    GuardOff,
    /// Sends a command without committing the attempt first.
    AttemptNotCommitted,
    /// Addresses existing objects by external id instead of number.
    HistoryByExternalId,
    /// Runs the dependents of a failed operation instead of failing them.
    CascadeOff,
    /// Ends an operation as not sent, and does not read whether an earlier attempt had its effect.
    ExpireUnread,
    /// Sends a command again without checking what its numbers refer to now and whose books Fineract has.
    TrustsNumbers,
    /// Does not check whether Fineract honours keys.
    TrustsKeys,
}

impl Sabotage {
    const ALL: [(&str, Self); 11] = [
        ("no_reconcile", Self::NoReconcile),
        ("no_fence", Self::NoFence),
        ("new_key_after_unknown", Self::NewKeyAfterUnknown),
        ("new_key_on_cached_409", Self::NewKeyOnCached409),
        ("guard_off", Self::GuardOff),
        ("attempt_not_committed", Self::AttemptNotCommitted),
        ("history_by_external_id", Self::HistoryByExternalId),
        ("cascade_off", Self::CascadeOff),
        ("expire_unread", Self::ExpireUnread),
        ("trusts_numbers", Self::TrustsNumbers),
        ("trusts_keys", Self::TrustsKeys),
    ];
}

/// There is no sabotage of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such sabotage")]
pub struct UnknownSabotage;

impl FromStr for Sabotage {
    type Err = UnknownSabotage;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, sabotage)| *sabotage).ok_or(UnknownSabotage)
    }
}

static ACTIVE: OnceLock<Sabotage> = OnceLock::new();

/// Lets this process make this error from now on.
pub fn begin(sabotage: Sabotage) {
    ACTIVE.get_or_init(|| sabotage);
}

/// Whether this process makes this error.
pub fn is(sabotage: Sabotage) -> bool {
    ACTIVE.get() == Some(&sabotage)
}
