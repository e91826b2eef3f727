//! How long Fineract has been up, as its own metrics say.

use std::time::{Duration, Instant};

use chrono::DateTime;
use reqwest::header::{CONNECTION, DATE};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::Fineract;

/// How often it is asked, each time on a connection of its own: where several processes answer, the
/// start of one says nothing of what the others run.
const READINGS: usize = 3;

/// A reading of the metrics.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    started_at: Decimal,
    uptime: Duration,
}

impl Fineract {
    /// For how long Fineract's one process has been up, by its own clock; `None` where its metrics
    /// (`/actuator/prometheus`) cannot be had, more than one process answers, or `FINERACT_SINGLE_PROCESS`
    /// does not say that there is only one: a balancer may send each reading to the same one of several. Nor
    /// where a command may have to wait for a checker: a restart does not end that (`CONTRACT.md` section 22.4).
    pub async fn uptime(&self) -> Option<Duration> {
        let readings = self.readings().await?;
        let (first, others) = readings.split_first()?;
        let one = others
            .iter()
            .all(|other| other.started_at == first.started_at);
        if !one {
            return None;
        }
        // What was read before it started is another process' word.
        if let Some(started_at) = Instant::now().checked_sub(first.uptime) {
            self.forget_until(started_at);
        }
        (self.single_process && !self.may_await_checker()).then_some(first.uptime)
    }

    /// When the process began that answers now (`process_start_time_seconds`); `None` where that cannot be had.
    pub async fn process_start(&self) -> Option<Decimal> {
        Some(self.read_metrics().await?.started_at)
    }

    /// Whether every process that answers has run for longer than that: since then Fineract was not restored
    /// from a backup. `false` where it cannot be known.
    pub async fn has_run_for(&self, time: Duration) -> bool {
        let readings = self.readings().await.unwrap_or_default();
        !readings.is_empty() && readings.iter().all(|reading| reading.uptime > time)
    }

    async fn readings(&self) -> Option<Vec<Reading>> {
        let mut readings = Vec::new();
        for _ in 0..READINGS {
            readings.push(self.read_metrics().await?);
        }
        Some(readings)
    }

    async fn read_metrics(&self) -> Option<Reading> {
        let url = format!("{}/actuator/prometheus", self.base.strip_suffix("/api/v1")?);
        let response = self
            .http
            .get(url)
            .header(CONNECTION, "close")
            .send()
            .await
            .ok()?;
        if !response.status().is_success() {
            return None;
        }
        let date = response.headers().get(DATE)?.to_str().ok()?.to_owned();
        Reading::of(&response.text().await.ok()?, &date)
    }
}

impl Reading {
    /// What metrics say that were answered at a time by the same clock. Of its age and the time since
    /// its start the longer counts: a clock that was put right makes one of them too short.
    fn of(metrics: &str, date: &str) -> Option<Self> {
        let started_at = sample(metrics, "process_start_time_seconds")?;
        let answered_at = DateTime::parse_from_rfc2822(date).ok()?.timestamp();
        let since = Decimal::from(answered_at) - started_at;
        let age = sample(metrics, "process_uptime_seconds").unwrap_or(since);
        let milliseconds = (since.max(age) * Decimal::ONE_THOUSAND).to_u64()?;
        Some(Self {
            started_at,
            uptime: Duration::from_millis(milliseconds),
        })
    }
}

/// The value of a metric that stands once in Prometheus' text format.
fn sample(metrics: &str, name: &str) -> Option<Decimal> {
    metrics.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = if rest.starts_with('{') {
            rest.rsplit_once('}')?.1
        } else {
            rest.strip_prefix(' ')?
        };
        let value = value.split_whitespace().next()?;
        Decimal::from_scientific(value)
            .or_else(|_| value.parse())
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fineract_says_how_long_it_has_been_up() {
        let date = "Sat, 21 Nov 2026 08:30:55 GMT";
        for (metrics, seconds) in [
            ("process_start_time_seconds 1.795249755E9", Some(100)),
            (
                "# HELP process_start_time_seconds …\nprocess_start_time_seconds{application=\"a b\",} 1795249755.0\n",
                Some(100),
            ),
            (
                "process_uptime_seconds 90.5\nprocess_start_time_seconds 1795249755",
                Some(100),
            ),
            // Its clock ran ahead when it began.
            (
                "process_uptime_seconds 500\nprocess_start_time_seconds 1795249855.5",
                Some(500),
            ),
            ("process_start_time_seconds 1795249956", None),
            ("process_start_time_seconds_total 1795249755", None),
            ("", None),
        ] {
            let uptime = Reading::of(metrics, date).map(|reading| reading.uptime);
            assert_eq!(uptime, seconds.map(Duration::from_secs), "{metrics}");
        }
        assert_eq!(Reading::of("process_start_time_seconds 1", "now"), None);
    }
}
