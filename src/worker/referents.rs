//! Before a command is sent again: whether the numbers in it still mean what they meant when it was planned.

use super::{case::Case, conclude::Conclusion, meant::Meant, runner::Runner};
use crate::{
    domain::{Attempt, Facts, Lane, Reads, ReferentKind, decision::Finding},
    fineract::{ReadFailure, Shown},
    store::Claimed,
    telemetry::metrics::count_alarm,
};

/// Why an operation is parked whose number means something else in Fineract than it did.
pub(super) const NUMBER_MEANS_ANOTHER: &str = "number_means_another";
/// Why an operation is parked that was sent to what is not there any more.
const SUBJECT_IS_GONE: &str = "subject_is_gone";
/// Why an operation waits whose number could not be read about.
const UNREAD: &str = "number_unread";

/// What reading said about the numbers in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// They mean what they meant.
    Same,
    /// One means nothing now: Fineract has its own 404 for it.
    Gone(ReferentKind),
    /// One means something else.
    Another,
}

impl Runner {
    /// Reads what the numbers in the command of an attempt mean now. `Err`: that cannot be known now.
    pub(super) async fn meaning_of(
        &self,
        claimed: &Claimed,
        attempt: &Attempt,
    ) -> Result<Meaning, Conclusion> {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
            return Ok(Meaning::Same);
        }
        let numbers = attempt.request.numbers();
        let product = numbers
            .iter()
            .find(|(kind, _)| *kind == ReferentKind::Product)
            .map(|(_, number)| *number);
        for (kind, number) in numbers {
            let Some(meant) = Meant::of(claimed, attempt, kind, number) else {
                continue;
            };
            let shown = self.fineract.shown_under(kind, number, product).await;
            let shown = shown.map_err(|failure| self.number_unread(claimed, &failure))?;
            let meaning = match shown {
                Shown::Nothing => Meaning::Gone(kind),
                Shown::Named(name) => {
                    let is_same = self.is_meant(&meant, number, name.as_deref()).await;
                    if is_same.map_err(|error| Conclusion::database_away(claimed, &error))? {
                        continue;
                    }
                    Meaning::Another
                }
            };
            return Ok(meaning);
        }
        Ok(Meaning::Same)
    }

    /// Makes sure, before a command is sent again, that its numbers mean what they meant. `Err`: it is not to be
    /// sent.
    pub(super) async fn still_means(
        &self,
        case: Case<'_>,
        attempt: &Attempt,
    ) -> Result<(), Conclusion> {
        match self.meaning_of(case.claimed, attempt).await? {
            Meaning::Same => Ok(()),
            Meaning::Another => Err(number_means_another(case.claimed)),
            Meaning::Gone(kind) => {
                self.check_books_of_missing(case.claimed, true).await?;
                if case.entry.leaves_nothing
                    && kind == ReferentKind::Loan
                    && let (Finding::Ours, evidence) = self.find(case).await?
                {
                    return Err(self.succeeded_by(case, evidence).await);
                }
                Err(Conclusion::park(SUBJECT_IS_GONE))
            }
        }
    }

    /// Reads what an operation asks for, what a command of it went to by its number; what is found there must be what
    /// it was.
    pub(super) async fn look_up(
        &self,
        case: Case<'_>,
        reads: Reads,
        absent_is_a_finding: bool,
    ) -> Result<Result<Facts, ReadFailure>, Conclusion> {
        let claimed = case.claimed;
        let reads = case.addressed(reads);
        let facts = match self.fineract.look_up(&reads, absent_is_a_finding).await {
            Ok(facts) => facts,
            Err(failure) => return Ok(Err(failure)),
        };
        let client = facts.client.as_ref();
        let client = client.map(|client| client.external_id.as_deref());
        let loan = facts.loan.as_ref();
        let loan = loan.map(|loan| loan.external_id.as_deref());
        for (kind, number, shown) in [
            (ReferentKind::Client, reads.client_id, client),
            (ReferentKind::Loan, reads.loan_id, loan),
        ] {
            let sent = case.history().last_reached();
            let (Some(number), Some(shown), Some(sent)) = (number, shown, sent) else {
                continue;
            };
            let Some(meant) = Meant::of(claimed, sent, kind, number) else {
                continue;
            };
            #[cfg(feature = "sabotage")]
            if crate::sabotage::is(crate::sabotage::Sabotage::TrustsNumbers) {
                continue;
            }
            let is_meant = self.is_meant(&meant, number, shown).await;
            if !is_meant.map_err(|error| Conclusion::database_away(claimed, &error))? {
                return Err(number_means_another(claimed));
            }
        }
        let is_missing = (reads.client_id.is_some() && facts.client.is_none())
            || (reads.loan_id.is_some() && facts.loan.is_none());
        self.check_books_of_missing(claimed, is_missing).await?;
        Ok(Ok(facts))
    }

    /// Reads what an operation needs; what the back office has renamed, by its number, once an operator has confirmed
    /// that. Fineract refuses to know the external id, which says nothing about what bears the number of its lane.
    pub(super) async fn look_up_by_any_name(
        &self,
        case: Case<'_>,
        reads: Reads,
    ) -> Result<Result<Facts, ReadFailure>, Conclusion> {
        let read = self.look_up(case, reads.clone(), false).await?;
        let Err(ReadFailure::Refused(answer)) = &read else {
            return Ok(read);
        };
        if answer.status != 404 {
            return Ok(read);
        }
        let renamed = self.renamed(case, reads.clone()).await?;
        if renamed == reads {
            return Ok(read);
        }
        self.look_up(case, renamed, false).await
    }

    /// What to read, by number where the lane's client or loan bears another external id now. `Err`: nobody has
    /// confirmed that it is the same.
    async fn renamed(&self, case: Case<'_>, mut reads: Reads) -> Result<Reads, Conclusion> {
        let claimed = case.claimed;
        for (lane, number) in claimed.known_numbers() {
            let (kind, read_by) = match lane.split_once(':') {
                Some(("client", _)) => (ReferentKind::Client, &mut reads.client_id),
                Some(("loan", _)) => (ReferentKind::Loan, &mut reads.loan_id),
                Some(_) | None => continue,
            };
            self.check_books_of_missing(claimed, true).await?;
            let shown = self.fineract.shown_under(kind, number, None).await;
            let shown = shown.map_err(|failure| self.number_unread(claimed, &failure))?;
            let name = match &shown {
                Shown::Nothing => continue,
                Shown::Named(name) => name.as_deref(),
            };
            if name.is_some_and(|name| Lane::is_named(lane, name)) {
                continue;
            }
            let is_meant = self.is_meant(&Meant::InLane(lane), number, name).await;
            if !is_meant.map_err(|error| Conclusion::database_away(claimed, &error))? {
                return Err(number_means_another(claimed));
            }
            *read_by = Some(number);
        }
        Ok(reads)
    }

    fn number_unread(&self, claimed: &Claimed, failure: &ReadFailure) -> Conclusion {
        tracing::debug!(operation.id = %claimed.id, ?failure, "what a number means could not be read");
        let outage = matches!(failure, ReadFailure::NoAnswer(_));
        self.again_or_park(claimed, UNREAD, outage, None)
    }
}

/// Parks an operation whose number has come to mean another client or loan, and raises the alarm.
pub(super) fn number_means_another(claimed: &Claimed) -> Conclusion {
    count_alarm(NUMBER_MEANS_ANOTHER);
    tracing::error!(
        operation.id = %claimed.id,
        operation.type = %claimed.operation_type,
        alarm = NUMBER_MEANS_ANOTHER,
        "a number in the command means another client, loan, product, charge, payment type or office in Fineract now"
    );
    Conclusion::park(NUMBER_MEANS_ANOTHER)
}
