//! The parameters of a query, one by one.

use super::api_error::ApiError;
use crate::operations::Problem;

/// Sets each parameter with `set`, whose error says what the value must be. The error lists every parameter that is
/// unknown, repeated or has a wrong value.
pub(super) fn read_parameters(
    pairs: &[(String, String)],
    mut set: impl FnMut(&str, &str) -> Result<(), String>,
) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    for (place, (name, value)) in pairs.iter().enumerate() {
        let is_repeated = pairs.iter().take(place).any(|(before, _)| before == name);
        let set = if is_repeated {
            Err("must be given once".to_owned())
        } else {
            set(name, value)
        };
        if let Err(must) = set {
            problems.push(invalid_parameter(name, must));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ApiError::InvalidQuery(problems))
    }
}

/// The problem of a parameter.
pub(super) fn invalid_parameter(name: &str, message: String) -> Problem {
    Problem {
        pointer: format!("/{name}"),
        code: "invalid_query",
        message,
    }
}

/// One of these values, by its name.
pub(super) fn one_of<T: Copy>(
    value: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name(*one) == value);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        format!("must be one of {}", names.join(", "))
    })
}
