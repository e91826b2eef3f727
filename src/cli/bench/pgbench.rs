//! What anyone can have of Postgres: `pgbench` with one insert a transaction.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::figures::Milli;

/// Debian and Ubuntu keep it beside the server's programs, out of `PATH`.
const SCRIPT: &str = r#"
for programs in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV); do PATH=$PATH:$programs; done
exec pgbench "$@"
"#;

/// The table that it fills.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS pgbench_row \
     (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL)";

/// Takes it away.
pub(super) const NO_TABLE: &str = "DROP TABLE pgbench_row";

/// Inserts rows of this size for a while; how many a second, each committed by itself.
pub(super) async fn inserts_per_second(
    url: &str,
    folder: &Path,
    clients: usize,
    lasts: Duration,
    row_bytes: u64,
) -> anyhow::Result<Milli> {
    let file = folder.join("insert.sql");
    let body = "x".repeat(usize::try_from(row_bytes)?);
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
        .arg(format!("--client={clients}"))
        .arg(format!("--jobs={}", clients.min(2)))
        .arg(format!("--time={}", lasts.as_secs()))
        .arg(format!("--file={}", file.display()))
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .await
        .context("pgbench cannot be started")?;
    if !output.status.success() {
        bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| Milli::parse(line.strip_prefix("tps = ")?.split(' ').next()?))
        .with_context(|| format!("pgbench says no tps: {text}"))
}
