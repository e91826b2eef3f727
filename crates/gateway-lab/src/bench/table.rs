//! The table that `bench` prints.

use super::figures::{Milli, Samples};

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    measure: String,
    ours: String,
    goal: String,
    met: Option<bool>,
}

impl Row {
    /// A measured value without a goal.
    pub(super) fn stated(measure: impl Into<String>, ours: impl Into<String>) -> Self {
        Self {
            measure: measure.into(),
            ours: ours.into(),
            goal: "stated".to_owned(),
            met: None,
        }
    }

    /// A measured value with a lower limit as its goal.
    pub(super) fn at_least(measure: &str, ours: &Samples, unit: &str, goal: Milli) -> Self {
        let met = ours.median() >= goal;
        Self::with_goal(measure, ours, unit, format!("≥ {goal}{unit}"), met)
    }

    /// A measured value with an upper limit as its goal.
    pub(super) fn at_most(measure: &str, ours: &Samples, unit: &str, goal: Milli) -> Self {
        let met = ours.median() <= goal;
        Self::with_goal(measure, ours, unit, format!("≤ {goal}{unit}"), met)
    }

    /// The median of some values over that of others in the same unit, such as `ms`. It may be 1.2 at most.
    pub(super) fn ratio(measure: &str, unit: &str, some: &Samples, others: &Samples) -> Self {
        let ratio = Milli::ratio(some.median().0, others.median().0);
        Self::at_most(measure, &ratio.into(), "", Milli(1200))
            .note(&format!("{some} {unit} over {others} {unit}"))
    }

    fn with_goal(measure: &str, ours: &Samples, unit: &str, goal: String, met: bool) -> Self {
        Self {
            measure: measure.to_owned(),
            ours: format!("{ours}{unit}"),
            goal,
            met: Some(met),
        }
    }

    /// Adds a note to the measured value.
    #[must_use]
    pub(super) fn note(mut self, note: &str) -> Self {
        self.ours = format!("{}; {note}", self.ours);
        self
    }

    /// Whether the goal was missed.
    pub(super) fn is_missed(&self) -> bool {
        self.met == Some(false)
    }

    /// The line, as Markdown.
    pub(super) fn markdown(&self) -> String {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let Self {
            measure,
            ours,
            goal,
            ..
        } = self;
        format!("| {measure} | {ours} | {goal} | {met} |")
    }
}

/// The table's head, as Markdown.
pub(super) const HEAD: &str = "| measure | ours | goal | met |\n| --- | --- | --- | --- |";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_meets_the_goal_or_not() {
        let ours = Samples::from(Milli(1500));
        assert_eq!(
            Row::at_most("a wait", &ours, " ms", Milli(1500)).markdown(),
            "| a wait | 1.50 ms | ≤ 1.50 ms | yes |"
        );
        assert!(Row::at_least("a ratio", &ours, "", Milli(1501)).is_missed());
        assert!(!Row::stated("a size", "9 kB").is_missed());
    }
}
