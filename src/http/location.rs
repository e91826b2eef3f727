//! The `Location` header.

use axum::http::{HeaderValue, Uri};

/// Builds a reference that is relative to the request's path (RFC 3986 section 4.2). The reference goes up by `up`
/// segments from the last segment of the path, and then down to `target`. It stays correct behind a proxy that adds a
/// prefix to the path or removes a prefix.
pub(super) fn relative(request: &Uri, up: usize, target: &str) -> Option<HeaderValue> {
    let path = request.path();
    // A trailing slash adds an empty last segment, so the reference must go up one more step.
    let last_slashes = path.len() - path.trim_end_matches('/').len();
    HeaderValue::try_from(format!("{}{target}", "../".repeat(up + last_slashes))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_to_the_same_place_from_every_form_of_a_path() {
        for (path, up, expected) in [
            ("/fineract/operate", 0, "track/x"),
            ("/a/b/fineract/operate/?q=/", 0, "../track/x"),
            ("/fineract/operate//", 0, "../../track/x"),
            ("/fineract/operations/1/cancel", 1, "../track/x"),
            ("/fineract/operations/1/cancel/", 1, "../../track/x"),
        ] {
            let found = relative(&path.parse().unwrap(), up, "track/x").unwrap();
            assert_eq!(found, expected, "{path}");
        }
    }
}
