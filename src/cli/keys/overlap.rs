//! How long the secrets before a new one stay valid.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// The longest overlap: 30 days.
const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Reads a time such as `24h`: a whole number of seconds (`s`), minutes, hours or days.
pub(super) fn parse(text: &str) -> anyhow::Result<Duration> {
    let must = "must be a number with s, m, h or d, such as 24h";
    let unit = text.chars().last().context(must)?;
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = number.parse().context(must)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => bail!("{must}"),
    };
    let overlap = Duration::from_secs(u64::from(number) * seconds);
    ensure!(overlap <= LONGEST, "must be at most 30d");
    Ok(overlap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_has_a_unit() {
        for (text, expected) in [
            ("24h", Some(86_400)),
            ("0s", Some(0)),
            ("30m", Some(1_800)),
            ("30d", Some(2_592_000)),
            ("31d", None),
            ("24", None),
            ("h", None),
            ("", None),
            ("-1h", None),
            ("1w", None),
        ] {
            let parsed = parse(text).ok().map(|overlap| overlap.as_secs());
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
