//! Verdicts of key probes, shared by all gateways, and the clients and loans on which a probe can be made.

use std::time::Duration;

use super::{Store, StoreError, patience::WithTimeout};
use crate::domain::{FineractCommand, OperationType};

/// The last verdict on a kind of command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyVerdict {
    /// Whether keys are honoured; `None` if it is not known yet.
    pub honoured: Option<bool>,
    /// The `process_start_time_seconds` of the Fineract that was probed, if it reports one.
    pub process_start: Option<String>,
    /// The name of the header that carried the keys, in lower case.
    pub header: String,
    /// How long ago the verdict was found, by the database's clock.
    pub age: Duration,
    /// For how long keys have been honoured without interruption, as far as the gateway knows.
    pub honoured_for: Duration,
    /// The lane of the client or loan that was probed.
    pub subject: Option<String>,
}

/// A new verdict.
#[derive(Clone, Debug)]
pub struct NewKeyVerdict {
    /// The kind of command.
    pub kind: FineractCommand,
    /// Whether its keys are honoured.
    pub honoured: bool,
    /// The `process_start_time_seconds` of the Fineract that was probed, if it reports one.
    pub process_start: Option<String>,
    /// How long that process of Fineract has been running.
    pub up_for: Duration,
    /// The name of the header that carried the keys, in lower case.
    pub header: String,
    /// The lane of the client or loan that was probed, if the probe needed one.
    pub subject: Option<String>,
}

/// A client or loan that the gateway created, on which a probe can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The lane of the client or loan.
    pub lane: String,
    /// The number that Fineract assigned to the client or loan.
    pub number: i64,
}

/// How many clients or loans a probe can choose from.
const SUBJECTS: i64 = 5;
/// How many of the newest operations are searched for clients or loans to probe.
const LOOKED_THROUGH: i64 = 5_000;

impl Store {
    /// The last verdict on a kind of command.
    pub async fn key_verdict(&self, kind: FineractCommand) -> Result<KeyVerdict, StoreError> {
        let row = sqlx::query!(
            "SELECT honoured, process_start, header, subject,
                    EXTRACT(EPOCH FROM now() - asked_at)::float8 AS age_seconds,
                    EXTRACT(EPOCH FROM now() - honoured_since)::float8 AS honoured_seconds
               FROM key_probe
              WHERE command = $1",
            kind.probe_name()
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read whether keys are honoured")
        .await?;
        Ok(row.map_or_else(KeyVerdict::default, |row| KeyVerdict {
            honoured: row.honoured,
            process_start: row.process_start,
            header: row.header,
            age: seconds(row.age_seconds),
            honoured_for: seconds(row.honoured_seconds),
            subject: row.subject,
        }))
    }

    /// Takes the lease for a probe of this kind of command. `process_start` identifies the process of Fineract that is
    /// to be probed. The lease ends after `at_most`. Returns `false` if another gateway has the lease. The lease is
    /// only a time in a row, so no lock is held during the probe.
    pub async fn begin_key_probe(
        &self,
        kind: FineractCommand,
        process_start: Option<&str>,
        header: &str,
        at_most: Duration,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"INSERT INTO key_probe AS k (command, seen, asking_until, header)
               VALUES ($1, $2, now() + make_interval(secs => $3), $4)
                   ON CONFLICT (command) DO UPDATE
                  -- If a process reported no start time, the gateway cannot tell whether it is still the same process.
                  SET doubted = k.doubted OR COALESCE(k.seen <> excluded.seen OR k.seen = '', false),
                      seen = excluded.seen,
                      asking_until = CASE WHEN k.asking_until > now() THEN k.asking_until
                                          ELSE excluded.asking_until END
            RETURNING asking_until = now() + make_interval(secs => $3) AS "begun!""#,
            kind.probe_name(),
            process_start.unwrap_or_default(),
            at_most.as_secs_f64(),
            header,
        )
        .fetch_one(&self.pool)
        .or_fail_to("begin a key probe")
        .await
    }

    /// Ends the lease without a verdict.
    pub async fn end_key_probe(&self, kind: FineractCommand) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE key_probe SET asking_until = NULL WHERE command = $1",
            kind.probe_name()
        )
        .execute(&self.pool)
        .or_fail_to("end a key probe")
        .await
        .map(drop)
    }

    /// Writes a verdict and ends the lease. Returns for how long keys have been honoured; zero if they are not
    /// honoured.
    pub async fn write_key_verdict(&self, verdict: NewKeyVerdict) -> Result<Duration, StoreError> {
        let honoured_seconds = sqlx::query_scalar!(
            r#"INSERT INTO key_probe AS k (command, honoured, asked_at, process_start, honoured_since, subject, header)
               VALUES ($1, $2, now(), $3, CASE WHEN $2 THEN now() - make_interval(secs => $4) END, $5, $6)
                   ON CONFLICT (command) DO UPDATE
                  SET honoured = excluded.honoured, asked_at = excluded.asked_at,
                      process_start = excluded.process_start,
                      -- Fineract has not stored keys that came in another header, so honoured_since begins now.
                      honoured_since = CASE WHEN excluded.honoured AND k.header <> excluded.header THEN now()
                                            WHEN excluded.honoured AND k.honoured AND NOT k.doubted
                                             AND COALESCE(k.seen = COALESCE(excluded.process_start, ''), true)
                                            THEN k.honoured_since
                                            ELSE excluded.honoured_since END,
                      doubted = false, header = excluded.header,
                      seen = NULLIF(k.seen, COALESCE(excluded.process_start, '')),
                      subject = COALESCE(excluded.subject, k.subject), asking_until = NULL
            RETURNING EXTRACT(EPOCH FROM now() - honoured_since)::float8"#,
            verdict.kind.probe_name(),
            verdict.honoured,
            verdict.process_start,
            verdict.up_for.as_secs_f64(),
            verdict.subject,
            verdict.header,
        )
        .fetch_one(&self.pool)
        .or_fail_to("write whether keys are honoured")
        .await?;
        Ok(seconds(honoured_seconds))
    }

    /// The names of the kinds of commands whose keys are not honoured.
    pub async fn keys_not_honoured(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar!("SELECT command FROM key_probe WHERE NOT honoured ORDER BY command")
            .fetch_all(&self.pool)
            .or_fail_to("read whether keys are honoured")
            .await
    }

    /// Returns clients or loans with a known number that can be probed. The first one is the client or loan in the lane
    /// `last_time`, which was probed last. The others follow, the newest first. The last successful operation of each
    /// of them had one of the types in `left_by`.
    pub async fn numbered(
        &self,
        left_by: &[OperationType],
        last_time: Option<&str>,
    ) -> Result<Vec<Numbered>, StoreError> {
        let types: Vec<String> = left_by.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"WITH recent AS (
                 SELECT id, lane, type, state FROM known_operation ORDER BY id DESC LIMIT $4
               ), last AS (
                 SELECT DISTINCT ON (lane) lane, type, id FROM recent
                  WHERE state = 'succeeded'
                  ORDER BY lane, id DESC
               ), fitting AS (
                 SELECT lane, id FROM last WHERE type = ANY ($1)
                  UNION ALL
                 SELECT $2::text, NULL WHERE $2::text IS NOT NULL
               )
               SELECT l.key, l.resource_id AS "number!"
                 FROM fitting f
                 JOIN lane l ON l.key = f.lane
                WHERE l.resource_id IS NOT NULL AND l.resource_epoch = (SELECT epoch FROM books)
                ORDER BY f.id IS NOT NULL, f.id DESC
                LIMIT $3"#,
            &types,
            last_time,
            SUBJECTS,
            LOOKED_THROUGH,
        )
        .fetch_all(&self.pool)
        .or_fail_to("look for a client or loan to probe")
        .await?;
        let numbered = rows.into_iter().map(|row| Numbered {
            lane: row.key,
            number: row.number,
        });
        Ok(numbered.collect())
    }
}

fn seconds(seconds: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default()
}
