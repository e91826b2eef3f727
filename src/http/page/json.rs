//! Reads a JSON text part by part, without changing a digit.

/// A part of a JSON text.
pub(super) enum Token<'a> {
    Open(char),
    Close(char),
    Comma,
    /// A key, with its quotes.
    Key(&'a str),
    /// A text, number, boolean or null as it is written, under the nearest key.
    Scalar {
        key: &'a str,
        text: &'a str,
    },
}

/// Reads a valid JSON text from its beginning to its end.
pub(super) fn walk<'a>(json: &'a str, mut see: impl FnMut(Token<'a>)) {
    // The keys of the objects and arrays around a place. The values of an array are under the key of the array.
    let mut keys: Vec<&str> = Vec::new();
    let mut key = "";
    let mut rest = json.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => text_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest
                .find(|c: char| ",]}".contains(c) || c.is_ascii_whitespace())
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after.trim_start();
        match first {
            '{' | '[' => {
                keys.push(key);
                see(Token::Open(first));
            }
            '}' | ']' => {
                key = keys.pop().unwrap_or_default();
                see(Token::Close(first));
            }
            ',' => see(Token::Comma),
            ':' => {}
            '"' if rest.starts_with(':') => {
                key = token.trim_matches('"');
                see(Token::Key(token));
            }
            _ => see(Token::Scalar { key, text: token }),
        }
    }
}

/// The amount in a payload, with the digits that it was sent with.
pub(super) fn amount(payload: &str) -> Option<String> {
    let keys = ["principal", "transactionAmount", "amount"];
    keys.iter().find_map(|key| field(payload, key))
}

/// The value of a public number or text at this key of the top level of an object, without quotes.
pub(super) fn field(json: &str, wanted: &str) -> Option<String> {
    let (mut depth, mut found) = (0, None);
    walk(json, |token| match token {
        Token::Open(_) => depth += 1,
        Token::Close(_) => depth -= 1,
        Token::Scalar { key, text } if depth == 1 && key == wanted && found.is_none() => {
            found = Some(text.trim_matches('"').to_owned());
        }
        Token::Scalar { .. } | Token::Key(_) | Token::Comma => {}
    });
    found
}

/// The length of a JSON text with its quotes.
fn text_length(rest: &str) -> usize {
    let mut is_escaped = false;
    for (place, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_top_level_is_found() {
        let json = r#"{"a":{"b":1},"b":2.50,"c":"x \"y\"","d":["b",{"b":3}]}"#;
        assert_eq!(field(json, "b").as_deref(), Some("2.50"));
        assert_eq!(field(json, "a"), None);
        assert_eq!(field(r#"{"a":[1,2]}"#, "a"), None);
    }
}
