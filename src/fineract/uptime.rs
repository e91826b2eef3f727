//! Reads from Fineract's own metrics how long Fineract has been running.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use chrono::DateTime;
use reqwest::header::{CONNECTION, DATE};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{
    Fineract,
    client::failure,
    exchange::{Exchange, Kind},
};
use crate::domain::{Failure, Method};

/// How often the metrics are read, each time on a new connection, to notice whether several processes answer. The
/// start of one process does not show which commands other processes still run.
const READINGS: usize = 3;

/// The values of one reading of the metrics.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) started_at: Decimal,
    uptime: Duration,
}

/// A process of Fineract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The process's `process_start_time_seconds`, which identifies the process.
    pub start: String,
    /// The time since the start of the process, by its own clock.
    pub up_for: Duration,
}

impl Fineract {
    /// The time since Fineract's only process started, by its own clock. `None` if the metrics
    /// (`/actuator/prometheus`) cannot be read, or if more than one process answers. Also `None` if
    /// `FINERACT_SINGLE_PROCESS` does not confirm that there is only one process: if there are several, a load
    /// balancer may send every reading to the same process. Also `None` if a command may have to wait for a checker,
    /// because a restart does not end such a command (`docs/fineract/checkers.md`, "What became of it").
    pub async fn uptime(&self) -> Option<Duration> {
        let readings = self.readings().await?;
        let (first, others) = readings.split_first()?;
        let one = others
            .iter()
            .all(|other| other.started_at == first.started_at);
        if !one {
            return None;
        }
        // Cached objects that were read before the start came from another process.
        if let Some(started_at) = Instant::now().checked_sub(first.uptime) {
            self.forget_until(started_at);
        }
        (self.single_process && !self.may_await_checker()).then_some(first.uptime)
    }

    /// The process of Fineract that answers now, or `None` if it does not show its metrics.
    pub async fn process(&self) -> Result<Option<Process>, Failure> {
        let Some(base) = self.base.strip_suffix("/api/v1") else {
            return Ok(None);
        };
        let asked_at = Instant::now();
        let reading = self
            .read_metrics(&format!("{base}/actuator/prometheus"))
            .await;
        // If Fineract has never shown its metrics, a proxy may block them. So a failed read is then no sign of an
        // outage.
        let has_shown = &self.shows_metrics;
        let reading = match reading {
            Err(_) if !has_shown.load(Ordering::Relaxed) => None,
            Err(failure) => {
                self.report(&Exchange {
                    kind: Kind::of(Method::Get, "/actuator/prometheus"),
                    took: asked_at.elapsed(),
                    result: &Err(failure),
                });
                return Err(failure);
            }
            Ok(reading) => reading,
        };
        if reading.is_some() {
            has_shown.store(true, Ordering::Relaxed);
        }
        Ok(reading.map(|reading| Process {
            start: reading.started_at.normalize().to_string(),
            up_for: reading.uptime,
        }))
    }

    /// Whether every process that answers has been running for longer than `time`. If so, Fineract was not restored
    /// from a backup in that time. `false` if the metrics cannot be read.
    pub async fn has_run_for(&self, time: Duration) -> bool {
        let readings = self.readings().await.unwrap_or_default();
        !readings.is_empty() && readings.iter().all(|reading| reading.uptime > time)
    }

    /// Like [`has_run_for`](Self::has_run_for), but `true` if the metrics cannot be read.
    pub async fn may_have_run_for(&self, time: Duration) -> bool {
        let readings = self.readings().await.unwrap_or_default();
        readings.iter().all(|reading| reading.uptime > time)
    }

    pub(super) async fn readings(&self) -> Option<Vec<Reading>> {
        let url = format!("{}/actuator/prometheus", self.base.strip_suffix("/api/v1")?);
        let mut readings = Vec::new();
        for _ in 0..READINGS {
            readings.push(self.read_metrics(&url).await.ok()??);
        }
        Some(readings)
    }

    async fn read_metrics(&self, url: &str) -> Result<Option<Reading>, Failure> {
        let request = self.http.get(url).header(CONNECTION, "close").send();
        let response = request.await.map_err(|error| failure(&error))?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
        let metrics = response.text().await.map_err(|error| failure(&error))?;
        Ok(date.and_then(|date| Reading::of(&metrics, &date)))
    }
}

impl Reading {
    /// Computes the values from the metrics and the date of the answer, which both come from Fineract's clock. The
    /// uptime is the longer of two values: the reported uptime, and the time since the reported start. If the clock
    /// was set, one of the two is too short.
    fn of(metrics: &str, date: &str) -> Option<Self> {
        let started_at = sample(metrics, "process_start_time_seconds")?;
        let answered_at = DateTime::parse_from_rfc2822(date).ok()?.timestamp();
        let since = Decimal::from(answered_at) - started_at;
        let age = sample(metrics, "process_uptime_seconds").unwrap_or(since);
        // The date has whole seconds, so a process that has just started may seem to start after the answer.
        let up_for = since.max(age);
        let up_for = if up_for > -Decimal::ONE {
            up_for.max(Decimal::ZERO)
        } else {
            up_for
        };
        let milliseconds = (up_for * Decimal::ONE_THOUSAND).to_u64()?;
        Some(Self {
            started_at,
            uptime: Duration::from_millis(milliseconds),
        })
    }
}

/// The value of a metric that occurs once in Prometheus' text format.
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
    fn the_uptime_is_read_from_the_metrics() {
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
            // The process has just started, and the date of the answer has whole seconds.
            ("process_start_time_seconds 1795249855.5", Some(0)),
            // The clock was ahead at the start.
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
