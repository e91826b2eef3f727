//! Looks up single settings and collects all problems.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// A problem with one setting. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The name of the variable.
    pub variable: &'static str,
    /// The problem, as the rest of a sentence that begins with the variable's name.
    pub problem: String,
}

/// All problems of the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong settings")?;
        let mut separator = ": ";
        for ConfigProblem { variable, problem } in &self.0 {
            write!(f, "{separator}{variable} {problem}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Reads one setting after the other and collects their problems. A setting with a problem is `None` or has its
/// default. At the end, [`finish`](Reader::finish) returns all problems.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<ConfigProblem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, variable: &'static str, problem: impl Into<String>) {
        self.problems.push(ConfigProblem {
            variable,
            problem: problem.into(),
        });
    }

    /// Returns the settings, or all problems if there is at least one.
    pub(super) fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigProblems> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(ConfigProblems(self.problems)),
        }
    }

    /// Whether this setting has a problem.
    pub(super) fn is_wrong(&self, variable: &str) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.variable == variable)
    }

    /// Adds a problem if a setting is missing and has no other problem yet.
    pub(super) fn require<T>(&mut self, variable: &'static str, value: Option<&T>) {
        if value.is_none() && !self.is_wrong(variable) {
            self.problem(variable, "is missing");
        }
    }

    /// The value, trimmed.
    pub(super) fn text(&self, variable: &'static str) -> Option<String> {
        self.find(variable)
    }

    /// The value of the variable, or the content of the file that `NAME_FILE` names.
    pub(super) fn secret(&mut self, variable: &'static str) -> Option<SecretString> {
        let file_variable = file_variable(variable);
        let text = match (self.find(variable), self.find(&file_variable)) {
            (Some(_), Some(_)) => {
                self.problem(
                    variable,
                    format!("and {file_variable} are both set: remove one of them"),
                );
                None
            }
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) if text.trim().is_empty() => {
                    self.problem(variable, format!("is empty in {path} ({file_variable})"));
                    None
                }
                Ok(text) => Some(text.trim().to_owned()),
                Err(error) => {
                    let problem = format!("cannot be read from {path} ({file_variable}): {error}");
                    self.problem(variable, problem);
                    None
                }
            },
            (value, None) => value,
        };
        text.map(SecretString::from)
    }

    /// The value parsed as `T`. A value that cannot be parsed is a problem; its text contains `expected`, a description
    /// of valid values.
    pub(super) fn parsed<T: FromStr>(
        &mut self,
        variable: &'static str,
        expected: &str,
    ) -> Option<T> {
        let text = self.find(variable)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(variable, format!("is \"{text}\", not {expected}"));
        }
        parsed
    }

    /// The value as a whole number in `range`.
    pub(super) fn number<T>(
        &mut self,
        variable: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(number) = self.parsed(variable, &expected) else {
            return default;
        };
        if range.contains(&number) {
            return number;
        }
        self.problem(variable, format!("is {number}, not {expected}"));
        default
    }

    /// The value as a number of seconds in `range`.
    pub(super) fn seconds(
        &mut self,
        variable: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(variable, default, range))
    }

    /// The value as a number of days, at least `smallest`.
    pub(super) fn days(&mut self, variable: &'static str, default: u64, smallest: u64) -> Duration {
        Duration::from_hours(24 * self.number(variable, default, smallest..=36_500))
    }

    /// The value, which must be one of the words in `choices`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        variable: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.find(variable)?;
        let choice = choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, choice)| *choice);
        if choice.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.problem(
                variable,
                format!("is \"{text}\", not one of {}", words.join(", ")),
            );
        }
        choice
    }

    /// The value as `true` or `false`.
    pub(super) fn boolean(&mut self, variable: &'static str, default: bool) -> bool {
        self.choice(variable, &[("false", false), ("true", true)])
            .unwrap_or(default)
    }

    fn find(&self, variable: &str) -> Option<String> {
        let value = (self.lookup)(variable)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

fn file_variable(variable: &str) -> String {
    format!("{variable}_FILE")
}
