//! Asking whether Fineract honours keys: by what must be refused, else by what has just been done.

use std::time::{Duration, Instant};

use super::{
    case::Case,
    conclude::Conclusion,
    keys::{Doubt, GOOD_FOR, LOOKED_FOR_AGAIN, Trust, kind},
    referents::Meaning,
    runner::Runner,
};
use crate::{
    domain::{
        Answer, Attempt, Facts, FineractCommand, IdempotencyKey, KeySaid, Lane, OperationType,
        ProbeSubject, Reads, Reply,
    },
    fineract::{Process, ReadFailure},
    operations::Entry,
    store::{End, KeyVerdict, NewKeyVerdict, Numbered, Verdict},
    telemetry::chain,
};

/// How soon it is asked again, over all gateways, whether keys are honoured that were not: a mended server is noticed
/// without a restart.
const ASKED_AGAIN: Duration = Duration::from_secs(5);

/// For how long it is believed that they are not, where nothing can be asked and processes cannot be told apart.
const BELIEVED: Duration = Duration::from_mins(10);

/// What asking has told, and on which lane.
type Told = (KeySaid, Option<String>);

impl Runner {
    /// Asks about a kind's keys, unless another has by now: the database, then Fineract.
    pub(super) async fn ask_about_keys(
        &self,
        kind: FineractCommand,
        since: Instant,
    ) -> Result<Trust, Doubt> {
        let _asking = self.keys.asking.lock().await;
        if !self.keys.has_looked(since) {
            let looked_at = Instant::now();
            self.keys
                .note_process(self.fineract.process().await?, looked_at);
        }
        let last_failure = self.fineract.last_failure();
        if let Some(trust) = self.keys.in_force(kind, Some(since), last_failure) {
            return Ok(trust);
        }
        let last = self.store.key_verdict(kind).await?;
        let process = self.keys.process();
        let is_same = last.process_start == process.as_ref().map(|process| process.start.clone())
            && last.header == self.fineract.key_header();
        // Where processes cannot be told apart, only what was asked since the last failure counts.
        let is_fresh =
            is_same && (process.is_some() || last_failure.is_none_or(|at| last.age < at.elapsed()));
        match (last.honoured, GOOD_FOR.checked_sub(last.age)) {
            (Some(true), Some(good_for)) if is_fresh => {
                let trust = Trust::Honoured(last.honoured_for);
                self.keys.note(kind, trust, good_for);
                return Ok(trust);
            }
            (Some(false), _) if is_same && last.age < ASKED_AGAIN => {
                return Err(Doubt::NotHonoured);
            }
            (Some(_) | None, _) => {}
        }
        let start = process.as_ref().map(|process| process.start.as_str());
        let lease = self.settings().lease;
        if !self
            .store
            .begin_key_probe(kind, start, self.fineract.key_header(), lease)
            .await?
        {
            return Err(Doubt::BeingAsked);
        }
        let trust = match self.probe(kind, last.subject.as_deref()).await {
            Ok((KeySaid::Nothing, _)) => kept(&last, is_same),
            Ok((said, subject)) => return self.write_verdict(kind, said, subject, process).await,
            Err(doubt) => Err(doubt),
        };
        self.store.end_key_probe(kind).await?;
        let trust = trust?;
        let good_for = match trust {
            Trust::Honoured(_) => GOOD_FOR,
            Trust::Unproven => LOOKED_FOR_AGAIN,
        };
        self.keys.note(kind, trust, good_for);
        Ok(trust)
    }

    /// Tries a command that must be refused, on one thing after the other until the answers say something.
    async fn probe(&self, kind: FineractCommand, last_time: Option<&str>) -> Result<Told, Doubt> {
        let left_by = match kind.subject() {
            ProbeSubject::Nothing => return Ok((self.try_on(kind, 0).await?, None)),
            ProbeSubject::Client => &[OperationType::ClientCreate, OperationType::ClientUpdate],
            ProbeSubject::Loan { left_by, .. } => left_by,
        };
        for subject in self.store.numbered(left_by, last_time).await? {
            if self.is_fit(kind, &subject).await? {
                let said = self.try_on(kind, subject.number).await?;
                if said != KeySaid::Nothing {
                    return Ok((said, Some(subject.lane)));
                }
            }
        }
        Ok((KeySaid::Nothing, None))
    }

    /// Whether that is still ours, and in a state that forbids the command.
    async fn is_fit(&self, kind: FineractCommand, subject: &Numbered) -> Result<bool, Doubt> {
        let Some((_, external_id)) = subject.lane.split_once(':') else {
            return Ok(false);
        };
        let (external_id, number) = (Some(external_id.to_owned()), Some(subject.number));
        let reads = match kind.subject() {
            ProbeSubject::Nothing => return Ok(false),
            ProbeSubject::Client => Reads {
                client: external_id,
                client_id: number,
                ..Reads::default()
            },
            ProbeSubject::Loan { .. } => Reads {
                loan: external_id,
                loan_id: number,
                ..Reads::default()
            },
        };
        match self.fineract.look_up(&reads, true).await {
            Ok(facts) => Ok(forbids(kind, &facts, &subject.lane)),
            Err(ReadFailure::Unreadable(_) | ReadFailure::Missing(_)) => Ok(false),
            Err(ReadFailure::Refused(answer)) if !is_outage(&answer) => Ok(false),
            Err(failure) => Err(Doubt::Unread(failure)),
        }
    }

    async fn try_on(&self, kind: FineractCommand, number: i64) -> Result<KeySaid, Doubt> {
        let (said, answer) = self.fineract.probe_key(kind, number).await?;
        // The command itself would get the same: it waits for the same reason.
        if said == KeySaid::Nothing && is_outage(&answer) {
            return Err(Doubt::Unread(ReadFailure::Refused(answer)));
        }
        Ok(said)
    }

    async fn write_verdict(
        &self,
        kind: FineractCommand,
        said: KeySaid,
        subject: Option<String>,
        process: Option<Process>,
    ) -> Result<Trust, Doubt> {
        let honoured = said == KeySaid::Honoured;
        // Before anybody can read it: nothing more of that kind goes out.
        if !honoured {
            self.block(kind);
        }
        let honoured_for = self
            .store
            .write_key_verdict(NewKeyVerdict {
                kind,
                honoured,
                up_for: process
                    .as_ref()
                    .map_or(Duration::ZERO, |process| process.up_for),
                process_start: process.map(|process| process.start),
                header: self.fineract.key_header().to_owned(),
                subject,
            })
            .await?;
        if !honoured {
            return Err(Doubt::NotHonoured);
        }
        let trust = Trust::Honoured(honoured_for);
        self.keys.note(kind, trust, GOOD_FOR);
        Ok(trust)
    }

    /// Learns of a kind's keys, where nothing could be asked, from an operation that was just answered: a stored
    /// answer proves them. A success whose late copy does no harm is sent once more under its key.
    pub(super) async fn learn_of_keys(&self, case: Case<'_>, conclusion: &Conclusion) {
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Sabotage::TrustsKeys) {
            return;
        }
        let (Some(last), true) = (case.attempts.last(), self.is_to_learn(case)) else {
            return;
        };
        let said = match &last.reply {
            Some(Reply::Answer(answer)) if answer.cached => KeySaid::Honoured,
            Some(Reply::Answer(_)) if is_harmless_success(case.entry, conclusion) => {
                self.send_once_more(case, last).await
            }
            Some(Reply::Answer(_) | Reply::Failure(_)) | None => KeySaid::Nothing,
        };
        if said == KeySaid::Nothing {
            return;
        }
        let kind = kind(case.entry);
        let process = self.keys.process();
        match self.write_verdict(kind, said, None, process).await {
            Err(Doubt::Database(error)) => {
                tracing::warn!(error = %chain(&error), "what was learnt of keys is not written");
            }
            Ok(_) | Err(Doubt::NotHonoured | Doubt::BeingAsked | Doubt::Unread(_)) => {}
        }
    }
}

impl Runner {
    /// Sends once more, under its key, what has just succeeded: as anything that is sent again, only while its numbers
    /// mean what they meant, and not while it is on hold.
    async fn send_once_more(&self, case: Case<'_>, last: &Attempt) -> KeySaid {
        let is_same = matches!(self.meaning_of(case.claimed, last).await, Ok(Meaning::Same));
        let is_on_hold = self.store.is_on_hold(case.claimed.id).await;
        if !is_same || !matches!(is_on_hold, Ok(false)) {
            return KeySaid::Nothing;
        }
        let key = IdempotencyKey {
            id: case.claimed.id,
            number: last.key_number,
        };
        match self.fineract.send(&last.request, key).await {
            Reply::Answer(answer) => KeySaid::by_second(&answer),
            Reply::Failure(_) => KeySaid::Nothing,
        }
    }
}

/// What a probe leaves that says nothing: the last verdict, if it is about the same process. Where processes cannot
/// be told apart, a bad one ends by itself: nothing else would find out that it was mended.
fn kept(last: &KeyVerdict, is_same: bool) -> Result<Trust, Doubt> {
    let is_named = last.process_start.is_some();
    match last.honoured {
        Some(false) if is_same && (is_named || last.age < BELIEVED) => Err(Doubt::NotHonoured),
        Some(true) if is_same => Ok(Trust::Honoured(last.honoured_for)),
        Some(_) | None => Ok(Trust::Unproven),
    }
}

fn forbids(kind: FineractCommand, facts: &Facts, lane: &str) -> bool {
    match kind.subject() {
        ProbeSubject::Nothing => false,
        ProbeSubject::Client => facts.client.as_ref().is_some_and(|client| {
            let name = client.external_id.as_deref();
            name.is_some_and(|name| Lane::client(name).as_str() == lane)
        }),
        ProbeSubject::Loan { states, .. } => facts.loan.as_ref().is_some_and(|loan| {
            let name = loan.external_id.as_deref();
            name.is_some_and(|name| Lane::loan(name).as_str() == lane)
                && states.contains(&loan.status.id)
        }),
    }
}

/// Whether it is not about the command at all. A 500 is about the client or loan: another one is tried.
fn is_outage(answer: &Answer) -> bool {
    matches!(answer.status, 300..=399 | 401 | 429 | 502..=504)
}

fn is_harmless_success(entry: &Entry, conclusion: &Conclusion) -> bool {
    entry.command().late_copy_is_harmless()
        && matches!(conclusion.verdict, Verdict::End(End::Succeeded { .. }))
        && matches!(&conclusion.reply, Some(Reply::Answer(answer)) if answer.status == 200)
}
