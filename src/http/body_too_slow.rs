//! The error of a body that does not arrive in time.

use std::error::Error;

/// The error of a body that does not arrive in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body does not arrive in time")]
pub(super) struct BodyTooSlow;

impl BodyTooSlow {
    /// Whether this is the cause of an error.
    pub(super) fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}
