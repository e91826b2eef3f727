//! CPU time and memory of processes, as Linux reports them in `/proc`, and the limit of open files.

use std::{fs, path::Path};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The unit of the CPU times in `/proc`: a hundredth of a second, regardless of the frequency of the kernel's own
/// clock.
const TICK_MICROS: u64 = 10_000;

/// The CPU time of a process since its start, in microseconds.
pub(super) fn cpu_micros(process: u32) -> anyhow::Result<u64> {
    let stat = Stat::read(process)?;
    Ok((stat.own_ticks) * TICK_MICROS)
}

/// The CPU time of Postgres since its start, in microseconds: the time of the server and of its child processes,
/// including child processes that have ended.
pub(super) fn postgres_cpu_micros(cluster: &Path) -> anyhow::Result<u64> {
    let file = fs::read_to_string(cluster.join("data/postmaster.pid"))?;
    let server: u32 = file
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .context("postmaster.pid names no process")?;
    let stat = Stat::read(server)?;
    let mut ticks = stat.own_ticks + stat.ended_children_ticks;
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process may end before this loop has read its file; such a process is skipped.
        if let Ok(stat) = Stat::read(process)
            && stat.parent == server
        {
            ticks += stat.own_ticks;
        }
    }
    Ok(ticks * TICK_MICROS)
}

/// The resident memory of a process, in kilobytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// The current value.
    pub(super) now: u64,
    /// The highest value so far.
    pub(super) peak: u64,
}

impl Memory {
    /// Reads the memory of a process.
    pub(super) fn of(process: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let kilobytes = |name: &str| {
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix(name)?
                        .split_whitespace()
                        .next()?
                        .parse()
                        .ok()
                })
                .with_context(|| format!("/proc has no {name}"))
        };
        Ok(Self {
            now: kilobytes("VmRSS:")?,
            peak: kilobytes("VmHWM:")?,
        })
    }
}

/// Raises the limit of open files to the maximum, for this process and for the processes that it starts.
pub(super) fn raise_file_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

struct Stat {
    parent: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

impl Stat {
    fn read(process: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Self::parse(&text).context("cannot read /proc/PID/stat")
    }

    /// The program's name is in brackets, and may contain blanks and brackets itself.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: number(11)? + number(12)?,
            ended_children_ticks: number(13)? + number(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_the_name() {
        let stat = Stat::parse("7 (a) b (c) S 3 7 7 0 -1 0 1 2 3 4 50 6 70 8 20 0 1 0").unwrap();
        assert_eq!(stat.parent, 3);
        assert_eq!(stat.own_ticks, 56);
        assert_eq!(stat.ended_children_ticks, 78);
    }
}
