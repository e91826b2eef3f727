//! The style sheet and the script. Their names contain a digest of their content, so browsers may keep them for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{
        HeaderName,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};
use sha2::{Digest as _, Sha256};

use super::cookie::hex;
use crate::http::api_error::ApiError;

const STYLE: &str = include_str!("../../../templates/ops.css");
const ICON: &str = include_str!("../../../templates/icon.svg");
const SCRIPT: &str = include_str!("../../../templates/ops.js");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path(STYLE, "css"));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path(SCRIPT, "js"));

/// The address of the style sheet.
pub(super) fn style() -> &'static str {
    &STYLE_PATH
}

/// The address of the script.
pub(super) fn script() -> &'static str {
    &SCRIPT_PATH
}

fn path(content: &str, extension: &str) -> String {
    let digest = Sha256::digest(content.as_bytes());
    let digest = hex(&digest);
    let digest = digest.get(..12).unwrap_or_default();
    format!("/ops/assets/ops-{digest}.{extension}")
}

/// Sends a file.
pub(super) async fn send(
    Path(name): Path<String>,
) -> Result<([(HeaderName, &'static str); 2], &'static str), ApiError> {
    let is = |path: &str| path.rsplit('/').next() == Some(name.as_str());
    let (kind, content) = if is(style()) {
        ("text/css; charset=utf-8", STYLE)
    } else if is(script()) {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else if name == "icon.svg" {
        ("image/svg+xml", ICON)
    } else {
        return Err(ApiError::UnknownRoute);
    };
    let keep = "public, max-age=31536000, immutable";
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, keep)], content))
}
