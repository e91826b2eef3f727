//! Claims operations in the statement that accepts them (`docs/adr/0033-claims-on-acceptance.md`). An operation that can
//! run at once then needs no claim of its own, and a command that is known without reading Fineract needs no further
//! commit before it is sent.

use std::sync::{Arc, atomic::Ordering};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{deps::Deps, operation, require_keys::are_keys_honoured};
use crate::{
    domain::{Facts, Reads},
    operations::{self, Context, Entry, Plan},
    store::{NewOperation, Offer, SeenLoan, StartAttempt},
};

/// Makes offers for new operations until `stop` is cancelled. `finished` is notified when an operation has ended.
pub(super) fn start(
    deps: &Arc<Deps>,
    tasks: &TaskTracker,
    finished: &Arc<Notify>,
    stop: &CancellationToken,
) {
    let store = deps.store.clone();
    // The store must not keep alive what holds the store.
    let (deps, tasks) = (Arc::downgrade(deps), tasks.clone());
    let (finished, stop) = (Arc::clone(finished), stop.clone());
    store.claim_on_accept(move |new| {
        let deps = deps.upgrade()?;
        if stop.is_cancelled() || deps.free(&tasks) == 0 {
            return None;
        }
        let entry = operations::entry(new.operation_type)?;
        let epoch = epoch_to_send_in(&deps, entry)?;
        let most = deps.settings.loan_create_per_lender;
        let offered = match &new.checked.lender {
            Some(lender) => Some(deps.leases.offer(lender, most)?),
            None => None,
        };
        // Counts as a task in progress until the operation runs or the offer is dropped.
        let room = tasks.token();
        let (deps, tasks) = (Arc::clone(&deps), tasks.clone());
        let (finished, stop) = (Arc::clone(&finished), stop.clone());
        Some(Offer {
            lease: deps.settings.lease,
            epoch,
            attempt: first_attempt(&deps, new, entry, epoch),
            run: Box::new(move |claimed, attempt| {
                let lease = deps.leases.add(&claimed);
                drop(offered);
                tasks.spawn(async move {
                    operation::run(&deps, claimed, attempt, &stop).await;
                    drop(lease);
                    finished.notify_one();
                });
                drop(room);
            }),
        })
    });
}

/// The epoch of Fineract's books, if an operation of this type may be sent now: nothing older is due, the circuit is
/// closed, the books are ours, and the type is blocked for no lender.
fn epoch_to_send_in(deps: &Deps, entry: &Entry) -> Option<i32> {
    let may_send = deps.is_queue_empty.load(Ordering::Relaxed)
        && deps.circuit_breaker.admits(1) > 0
        && deps.circuit_breaker.is_closed()
        && !deps.blocked.blocks_some_of(entry.operation_type);
    let books = deps.books.lock();
    (may_send && books.is_current(deps.fineract.last_failure()))
        .then_some(books.epoch)
        .flatten()
}

/// The first attempt of an operation, if its command is known without reading Fineract, and its keys are honoured.
fn first_attempt(
    deps: &Deps,
    new: &NewOperation,
    entry: &Entry,
    epoch: i32,
) -> Option<StartAttempt> {
    let may_commit_now = entry.reopens.is_none()
        && new.checked.reference.is_none()
        // After its deadline, nothing is sent. Only the commit of an attempt checks the deadline.
        && new.expires_at.is_none()
        && deps.limiter.permits().has_free()
        && are_keys_honoured(deps, entry);
    if !may_commit_now {
        return None;
    }
    let reads = (entry.reads)(&new.payload, &deps.deployment, new.id).ok()?;
    let facts = known_facts(deps, reads)?;
    let context = Context {
        id: new.id,
        deployment: &deps.deployment,
        users: vec![deps.fineract.user()],
        known_id: None,
        same_reference: None,
        sent: None,
        checked: false,
    };
    let Ok(Plan::Send(request)) = (entry.plan)(&new.payload, &facts, &context) else {
        return None;
    };
    Some(StartAttempt {
        id: new.id,
        number: 1,
        key_number: 1,
        referents: facts.referents(&request),
        request,
        effect_preexisted: false,
        may_have_run: false,
        seen: SeenLoan::default(),
        user: deps.fineract.user().to_owned(),
        epoch,
    })
}

/// The facts for these reads, if they are known without reading Fineract: at most the office, which was read less than a
/// minute ago.
fn known_facts(deps: &Deps, reads: Reads) -> Option<Facts> {
    let office = match reads.office {
        Some(number) => deps.fineract.known_office(number)?,
        None => None,
    };
    let others = Reads {
        office: None,
        ..reads
    };
    (others == Reads::default()).then(|| Facts {
        office,
        ..Facts::default()
    })
}
