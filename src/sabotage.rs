//! What a gateway does wrong on purpose, so that `prove` can be seen to object. Compiled with the feature
//! `sabotage` only; each is built into one place, which asks [`is`].

use std::{str::FromStr, sync::OnceLock};

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Where a key cannot tell, nobody reads Fineract: it is taken for absent.
    NoReconcile,
    /// A settle is written by whoever comes, not only by the attempt that holds the operation.
    NoFence,
    /// A command that was not answered is sent again under a new key.
    NewKeyAfterUnknown,
    /// A cached 409 is followed by a new key.
    NewKeyOnCached409,
    /// A payment is sent without a look at what was paid out already.
    GuardOff,
    /// A command is sent that was not committed before.
    AttemptNotCommitted,
    /// What exists in Fineract is addressed by external id, not by number.
    HistoryByExternalId,
    /// What rests on a failed operation goes on.
    CascadeOff,
    /// What ends unsent ends so without a look at what an earlier attempt of it has done.
    ExpireUnread,
    /// A command is sent again without a look at what its numbers mean by now, and whose books these are.
    TrustsNumbers,
    /// Nobody asks whether Fineract honours keys.
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

/// Nothing is done wrong under this name.
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

static DONE: OnceLock<Sabotage> = OnceLock::new();

/// From now on this process does that wrong.
pub fn begin(sabotage: Sabotage) {
    DONE.get_or_init(|| sabotage);
}

/// Whether this process does that wrong.
pub fn is(sabotage: Sabotage) -> bool {
    DONE.get() == Some(&sabotage)
}
