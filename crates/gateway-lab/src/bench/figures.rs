//! Measured values in thousandths, as whole numbers, with their median and range.

use std::fmt;

/// A measured value, in thousandths of its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Milli(pub(super) u64);

impl Milli {
    /// The value of a whole number of units.
    pub(super) const fn whole(number: u64) -> Self {
        Self(number * 1000)
    }

    /// `figure` divided by `of`. If `of` is 0, the divisor is 1.
    pub(super) fn ratio(figure: u64, of: u64) -> Self {
        let thousandths = u128::from(figure) * 1000 / u128::from(of.max(1));
        Self(u64::try_from(thousandths).unwrap_or(u64::MAX))
    }

    /// Reads a decimal such as `12.3456`. The digits after the third decimal place are ignored.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
        Some(Self(
            whole.parse::<u64>().ok()? * 1000 + decimals.parse::<u64>().ok()?,
        ))
    }
}

impl fmt::Display for Milli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1000, self.0 % 1000);
        match whole {
            0..10 => write!(f, "{whole}.{:02}", rest / 10),
            10..100 => write!(f, "{whole}.{}", rest / 100),
            100..10_000 => write!(f, "{whole}"),
            10_000..1_000_000 => write!(f, "{},{:03}", whole / 1000, whole % 1000),
            _ => write!(
                f,
                "{},{:03},{:03}",
                whole / 1_000_000,
                whole / 1000 % 1000,
                whole % 1000
            ),
        }
    }
}

/// Several measurements of the same value, in ascending order.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<Milli>);

impl Samples {
    /// Adds a measurement.
    pub(super) fn push(&mut self, figure: Milli) {
        self.0.push(figure);
        self.0.sort_unstable();
    }

    /// The median, or 0 without measurements.
    pub(super) fn median(&self) -> Milli {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }
}

impl From<Milli> for Samples {
    fn from(figure: Milli) -> Self {
        Self(vec![figure])
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.median())?;
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(most)) if self.0.len() > 1 => write!(f, " ({least}–{most})"),
            _ => Ok(()),
        }
    }
}

/// Sorts these values and returns their quantile for `per_mille` thousandths (500 is the median), or 0 without values.
pub(super) fn quantile(figures: &mut [u64], per_mille: usize) -> u64 {
    figures.sort_unstable();
    let index = (figures.len() * per_mille / 1000).min(figures.len().saturating_sub(1));
    figures.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_written() {
        for (text, expected) in [
            ("0.1234", "0.12"),
            ("9.999", "9.99"),
            ("12.5", "12.5"),
            ("1234.567", "1234"),
            ("23230", "23,230"),
            ("10000007", "10,000,007"),
        ] {
            assert_eq!(Milli::parse(text).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(Milli::parse("many"), None);
        assert_eq!(Milli::ratio(1, 3), Milli(333));
    }

    #[test]
    fn the_middle_one_counts() {
        let mut samples = Samples::default();
        for figure in [3, 1, 2] {
            samples.push(Milli::whole(figure));
        }
        assert_eq!(samples.to_string(), "2.00 (1.00–3.00)");
    }
}
