//! The sessions of the operators' page, and the links with which an operator can sign in once.
//!
//! Only digests are stored, so a copy of the database signs nobody in. The time of Postgres decides when a session or a
//! link has expired.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;

use crate::store::{Store, StoreError, patience::WithTimeout};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// What a row of `ops_session` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A browser in which an operator is signed in.
    Session,
    /// A link that begins a session, once.
    Link,
}

impl SessionKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Link => "link",
        }
    }
}

/// A session or a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The digest of the secret in the cookie or in the link.
    pub digest: Digest,
    /// The name of the operator's token.
    pub operator: String,
    /// The digest of the secret together with the operator's token.
    pub proof: Digest,
}

impl Store {
    /// Begins a session, or makes a link. Removes the sessions and links that have expired.
    pub async fn begin_session(
        &self,
        kind: SessionKind,
        session: &Session,
        lifetime: Duration,
    ) -> Result<(), StoreError> {
        let lifetime = PgInterval {
            months: 0,
            days: 0,
            microseconds: i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX),
        };
        sqlx::query!(
            "WITH expired AS (DELETE FROM ops_session WHERE expires_at <= now())
             INSERT INTO ops_session (digest, kind, operator, proof, expires_at)
             VALUES ($1, $2, $3, $4, now() + $5::interval)",
            &session.digest[..],
            kind.as_str(),
            session.operator,
            &session.proof[..],
            lifetime
        )
        .execute(&self.pool)
        .or_fail_to("begin a session")
        .await
        .map(drop)
    }

    /// Reads the session with this digest, if it has not expired.
    pub async fn session(&self, digest: &Digest) -> Result<Option<Session>, StoreError> {
        let found = sqlx::query!(
            "SELECT operator, proof
               FROM ops_session
              WHERE digest = $1 AND kind = 'session' AND expires_at > now()",
            &digest[..]
        )
        .fetch_optional(&self.pool)
        .or_fail_to("read a session")
        .await?;
        found
            .map(|row| session(*digest, row.operator, row.proof))
            .transpose()
    }

    /// Takes the link with this digest, if it has not expired. The link cannot be used again.
    pub async fn take_link(&self, digest: &Digest) -> Result<Option<Session>, StoreError> {
        let taken = sqlx::query!(
            r#"DELETE FROM ops_session
              WHERE digest = $1 AND kind = 'link'
          RETURNING operator, proof, expires_at > now() AS "is_valid!""#,
            &digest[..]
        )
        .fetch_optional(&self.pool)
        .or_fail_to("use a sign-in link")
        .await?;
        taken
            .filter(|row| row.is_valid)
            .map(|row| session(*digest, row.operator, row.proof))
            .transpose()
    }

    /// Ends a session.
    pub async fn end_session(&self, digest: &Digest) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM ops_session WHERE digest = $1", &digest[..])
            .execute(&self.pool)
            .or_fail_to("end a session")
            .await
            .map(drop)
    }

    /// Ends every session of an operator, and removes the links of the operator.
    pub async fn end_sessions_of(&self, operator: &str) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM ops_session WHERE operator = $1", operator)
            .execute(&self.pool)
            .or_fail_to("end the sessions of an operator")
            .await
            .map(drop)
    }
}

fn session(digest: Digest, operator: String, proof: Vec<u8>) -> Result<Session, StoreError> {
    let proof = proof
        .try_into()
        .or(Err(StoreError::Unknown { what: "proof" }))?;
    Ok(Session {
        digest,
        operator,
        proof,
    })
}
