//! Decides what a refusal means, given the earlier attempts.

use super::{Decision, History, Question, reply_class::Key};

/// Decides about a refusal. The refusal is final only if no attempt of the operation may have been executed or may
/// still run. Otherwise, the cause of the refusal may be the effect of an earlier attempt, even of an attempt that
/// ended in a stored failure.
pub(super) fn decide_refusal(already_there: bool, key: Key, history: &History<'_>) -> Decision {
    let before_the_key = match key {
        Key::Ended => false,
        Key::NotChecked | Key::Unclear => true,
    };
    if before_the_key && history.earlier_effect_unknown() {
        Decision::Read(Question::BeforeTheKey)
    // Fineract may have died after it executed an approved command and before it recorded the checker's approval.
    // Fineract then refuses a second approval.
    } else if history.other_key_effect_unknown()
        || (already_there && (history.key_was_not_recognised() || history.has_awaited_checker()))
    {
        Decision::Read(Question::AlreadyThere)
    } else {
        Decision::Refused
    }
}
