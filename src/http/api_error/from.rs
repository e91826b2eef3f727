//! How the errors of the queue appear to callers.

use super::ApiError;
use crate::{
    http::access::AccessError,
    store::{ActionError, CredentialError, ListError, RepairError, Unfit},
};

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Unfit(unfit) => unfit.into(),
            ActionError::Store(error) => error.into(),
        }
    }
}

impl From<CredentialError> for ApiError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Store(error) => error.into(),
            error @ (CredentialError::NameInUse
            | CredentialError::Expired
            | CredentialError::Unknown) => AccessError::Key(error).into(),
        }
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::NoIndex(why) => Self::invalid("", "no_index", why.0),
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<RepairError> for ApiError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::NoIndex(why) => ListError::NoIndex(why).into(),
            RepairError::Unknown => Self::UnknownRepair,
            RepairError::Store(error) => error.into(),
            RepairError::NotAsSeen => Self::Unfit(Unfit::Changed),
            RepairError::TooMany | RepairError::MoreThanExpected { .. } => {
                Self::TooManyMatch(error.to_string())
            }
        }
    }
}
