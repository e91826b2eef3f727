//! `--where`: conditions that are separated by blanks, such as `state=parked lender="DMI Personal"`.

use anyhow::{bail, ensure};
use serde_json::Value;

/// The conditions, each with its name and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(pub(super) Vec<(String, String)>);

impl Filter {
    /// Joins the conditions of several `--where`.
    pub(super) fn joined(filters: &[Self]) -> Self {
        Self(filters.iter().flat_map(|filter| filter.0.clone()).collect())
    }

    /// The conditions as a JSON object, as a repair takes them.
    pub(super) fn json(&self) -> Value {
        let conditions = self.0.iter().cloned();
        conditions
            .map(|(name, value)| (name, Value::from(value)))
            .collect()
    }
}

/// Parses the conditions. The names are not checked here, because the gateway knows which names exist.
pub(super) fn parse(text: &str) -> anyhow::Result<Filter> {
    let mut conditions = Vec::new();
    for word in words(text)? {
        let Some((name, value)) = word.split_once('=') else {
            bail!("{word} is not NAME=VALUE");
        };
        ensure!(
            !name.is_empty() && !value.is_empty(),
            "{word} is not NAME=VALUE"
        );
        ensure!(
            conditions.iter().all(|(known, _)| known != name),
            "{name} is given twice"
        );
        conditions.push((name.to_owned(), value.to_owned()));
    }
    ensure!(!conditions.is_empty(), "has no condition");
    Ok(Filter(conditions))
}

/// Splits a text at blanks. Blanks between double quotes belong to the word; the quotes do not.
fn words(text: &str) -> anyhow::Result<Vec<String>> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            _ if letter.is_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    ensure!(!is_quoted, "a double quote is not closed");
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_separated_by_blanks() {
        for (text, expected) in [
            ("state=parked", Some(vec![("state", "parked")])),
            (
                " state=failed  reason_code=x=y ",
                Some(vec![("state", "failed"), ("reason_code", "x=y")]),
            ),
            (
                "lender=\"DMI Personal\" q=\"\u{20b9} 5\"",
                Some(vec![("lender", "DMI Personal"), ("q", "\u{20b9} 5")]),
            ),
            ("", None),
            ("parked", None),
            ("state=", None),
            ("=parked", None),
            ("state=parked state=failed", None),
            ("lender=\"DMI", None),
        ] {
            let parsed = parse(text).ok();
            let expected = expected.map(|conditions| {
                let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                Filter(conditions.into_iter().map(owned).collect())
            });
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
