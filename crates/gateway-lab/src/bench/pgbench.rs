//! The baseline on the same Postgres: `pgbench` inserts one row per transaction, as large as the rows of an operation.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::figures::{Milli, quantile};

/// Runs `pgbench`. Debian and Ubuntu keep `pgbench` with the server's programs, outside of `PATH`.
const SCRIPT: &str = r#"
for programs in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do PATH=$PATH:$programs; done
exec pgbench "$@"
"#;

/// Creates the table that `pgbench` fills.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS pgbench_row \
     (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)";

/// Empties the table, so that no autovacuum disturbs a later measurement.
pub(super) const NO_ROWS: &str = "TRUNCATE pgbench_row";

/// The parameters of a run of `pgbench`.
#[derive(Debug)]
pub(super) struct Inserts<'a> {
    /// The URL of the database.
    pub(super) url: &'a str,
    /// The folder for the files of `pgbench`.
    pub(super) folder: &'a Path,
    /// The number of connections.
    pub(super) clients: usize,
    /// The duration of a run.
    pub(super) lasts: Duration,
    /// The size of a row, in bytes.
    pub(super) row_bytes: u64,
}

impl Inserts<'_> {
    /// The number of inserts per second as fast as possible. Each insert is one transaction.
    pub(super) async fn per_second(&self) -> anyhow::Result<Milli> {
        let text = self.run(&[]).await?;
        text.lines()
            .find_map(|line| Milli::parse(line.strip_prefix("tps = ")?.split(' ').next()?))
            .with_context(|| format!("the output of pgbench has no tps: {text}"))
    }

    /// The p99 of the latency in milliseconds at this rate. A latency counts from the time at which its insert was due.
    pub(super) async fn p99_at(&self, per_second: u32) -> anyhow::Result<Milli> {
        let logs = self.folder.join("pgbench-log");
        std::fs::create_dir(&logs)?;
        let rate = format!("--rate={per_second}");
        let prefix = format!("--log-prefix={}", logs.join("x").display());
        self.run(&["--log", &rate, &prefix]).await?;
        let mut micros = Vec::new();
        for file in std::fs::read_dir(&logs)? {
            let text = std::fs::read_to_string(file?.path())?;
            // The columns are: client, number, microseconds, …
            let times = text.lines().filter_map(|line| line.split(' ').nth(2));
            micros.extend(times.filter_map(|time| time.parse::<u64>().ok()));
        }
        std::fs::remove_dir_all(&logs)?;
        Ok(Milli(quantile(&mut micros, 990)))
    }

    async fn run(&self, options: &[&str]) -> anyhow::Result<String> {
        let file = self.folder.join("insert.sql");
        let body = "x".repeat(usize::try_from(self.row_bytes)?);
        std::fs::write(
            &file,
            format!("INSERT INTO pgbench_row (body) VALUES ('{body}');\n"),
        )?;
        let output = Command::new("sh")
            .args([
                "-c",
                SCRIPT,
                "pgbench",
                "--no-vacuum",
                "--protocol=prepared",
            ])
            .args(options)
            .arg(format!("--client={}", self.clients))
            .arg(format!("--jobs={}", self.clients.min(2)))
            .arg(format!("--time={}", self.lasts.as_secs()))
            .arg(format!("--file={}", file.display()))
            .arg(self.url)
            .stdin(Stdio::null())
            .output()
            .await
            .context("cannot start pgbench")?;
        if !output.status.success() {
            bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
