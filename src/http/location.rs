//! Where an answer sends its caller.

use axum::http::{HeaderValue, Uri};

/// A reference relative to the request's own path (RFC 3986 section 4.2), `up` segments above its last: right
/// also behind a proxy that has put a prefix before the path, or taken one away.
pub(super) fn relative(request: &Uri, up: usize, target: &str) -> Option<HeaderValue> {
    let path = request.path();
    // From `a/b/` it is one step more to what stands beside `b` than from `a/b`.
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
