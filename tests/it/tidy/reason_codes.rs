//! The operators' page has a sentence for each reason code that the gateway can write.

use std::collections::BTreeSet;

use fineract_gateway::http::explains;

use super::source::Source;

/// The folders and files with reason codes: every lower-case text with an underscore in them is one, unless it is listed
/// below.
const WITH_CODES: [&str; 5] = [
    "src/worker",
    "src/domain/decision",
    "src/store/cascade/failure.rs",
    "src/store/claim.rs",
    "src/operations/operation.rs",
];
/// Texts in these files that are no reason codes.
const NO_CODES: &[&str] = &[
    "client_not_there",
    "gateway_attempts_total",
    "gateway_fineract_blocked",
    "gateway_keys_not_honoured",
    "gateway_operation_seconds",
    "invalid_payload",
];
/// What stands before a reason code in other files.
const BEFORE_CODES: [&str; 2] = ["CannotTell(\"", "reason_code = '"];

#[test]
fn the_page_explains_every_reason_code() {
    let mut codes = BTreeSet::new();
    for file in Source::all("src") {
        let name = file.to_string();
        let is_test = name.contains("tests") || name.ends_with("testing.rs");
        if is_test {
            continue;
        }
        let code = file.code.split("#[cfg(test)]").next().unwrap_or_default();
        if WITH_CODES.iter().any(|place| name.starts_with(place)) {
            let texts = code.split('"').skip(1).step_by(2);
            codes.extend(texts.filter(|text| is_code(text)).map(str::to_owned));
        }
        for before in BEFORE_CODES {
            let after = code.split(before).skip(1);
            let found = after.filter_map(|rest| rest.split(['"', '\'']).next());
            codes.extend(found.map(str::to_owned));
        }
    }
    assert!(codes.len() > 50, "{codes:?}");
    let unexplained: Vec<_> = codes.iter().filter(|code| !explains(code)).collect();
    assert!(
        unexplained.is_empty(),
        "src/http/page/reasons.md lacks a row for {unexplained:?}"
    );
}

fn is_code(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    text.contains('_') && text.bytes().all(is_plain) && !NO_CODES.contains(&text)
}
