//! Hexadecimal digits.

use std::fmt::Write as _;

/// The bytes in hexadecimal digits, in lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a text cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}
