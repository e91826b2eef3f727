//! The verdicts in a database whose Fineract honours keys.

use fineract_gateway::domain::FineractCommand;
use rust_decimal::Decimal;

use super::system::System;

/// Records that the Fineract of the settings has honoured all keys for a long time. Existing verdicts stay unchanged.
pub(crate) async fn trust_keys(system: &System) {
    let Some(pool) = &system.trusting else {
        return;
    };
    let url = system.setting("FINERACT_URL").expect("a URL");
    let url = url.replace("/api/v1", "/actuator/prometheus");
    let metrics = match system.client.get(url).send().await {
        Ok(answer) if answer.status().is_success() => answer.text().await.unwrap_or_default(),
        Ok(_) | Err(_) => String::new(),
    };
    let started_at = metrics.lines().find_map(|line| {
        let value = line.strip_prefix("process_start_time_seconds ")?;
        let value = Decimal::from_scientific(value).or_else(|_| value.parse());
        Some(value.ok()?.normalize().to_string())
    });
    let kinds = FineractCommand::PROBED.map(|kind| kind.probe_name().to_owned());
    sqlx::query!(
        "INSERT INTO key_probe (command, honoured, asked_at, process_start, honoured_since)
         SELECT command, true, now(), $2, now() - interval '10 years' FROM unnest($1::text[]) command
             ON CONFLICT DO NOTHING",
        &kinds,
        started_at,
    )
    .execute(pool)
    .await
    .expect("the database is there");
}
