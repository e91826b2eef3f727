//! Probes whether Fineract honours idempotency keys.

use uuid::Uuid;

use super::Fineract;
use crate::domain::{Answer, Failure, FineractCommand, ProbeVerdict};

impl Fineract {
    /// Sends a command that Fineract must refuse. If Fineract refuses the command, sends the command a second time
    /// under the same key. The key belongs to no operation. Returns the verdict and the last answer.
    pub async fn probe_key(
        &self,
        kind: FineractCommand,
        number: i64,
    ) -> Result<(ProbeVerdict, Answer), Failure> {
        let request = kind.probe(number);
        let key = format!("{}-probe", Uuid::new_v4());
        let first = self.send_under(&request, &key).await?;
        if let Some(verdict) = ProbeVerdict::by_first(&first) {
            return Ok((verdict, first));
        }
        let second = self.send_under(&request, &key).await?;
        Ok((ProbeVerdict::by_second(&second), second))
    }
}
