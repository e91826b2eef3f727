//! The project's own commands, as processes. Their environment has only `PATH` and what a test adds.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use tokio::{process::Command, time::timeout};

use super::eventually::DEADLINE;

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that runs in a folder without `.env`.
pub(crate) fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(crate::PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(variables.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub(crate) async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = timeout(DEADLINE, program(arguments, variables).output())
        .await
        .expect("the command ends in time")
        .expect("the binary runs");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A temporary folder, for example for what a command leaves in `TMPDIR`.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("command-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&path).expect("a new folder");
        // If the tests run as root, the private Postgres runs under another account, which writes here too.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).expect("a mode");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("a path in UTF-8")
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
