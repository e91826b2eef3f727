//! Asking Fineract whether it honours a key.

use uuid::Uuid;

use super::Fineract;
use crate::domain::{Answer, Failure, FineractCommand, KeySaid};

impl Fineract {
    /// Sends a command twice that must be refused, under one key that is no operation's; what that says, and the
    /// last answer.
    pub async fn probe_key(
        &self,
        kind: FineractCommand,
        number: i64,
    ) -> Result<(KeySaid, Answer), Failure> {
        let request = kind.probe(number);
        let key = format!("{}-probe", Uuid::new_v4());
        let first = self.send_under(&request, &key).await?;
        if let Some(said) = KeySaid::by_first(&first) {
            return Ok((said, first));
        }
        let second = self.send_under(&request, &key).await?;
        Ok((KeySaid::by_second(&second), second))
    }
}
