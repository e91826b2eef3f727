//! What a refusal means, given what came before it.

use super::{Decision, History, Question, reply_class::Key};

/// Decides about a refusal. It is final only where nothing of the operation may have run, or may run
/// still; what it refuses may be what an earlier attempt did, also one that ended in a stored failure.
pub(super) fn weigh(already_there: bool, key: Key, history: &History<'_>) -> Decision {
    let before_the_key = match key {
        Key::Ended => false,
        Key::NotLookedAt | Key::Unclear => true,
    };
    if before_the_key && history.left_unread() {
        Decision::Read(Question::BeforeTheKey)
    // Fineract may have died between a checker's approval and noting it: approved again, it is refused.
    } else if history.other_key_left_unread()
        || (already_there && (history.resent_in_vain() || history.was_put_up()))
    {
        Decision::Read(Question::AlreadyThere)
    } else {
        Decision::Refused
    }
}
