//! A private Postgres for demos, measurements and tests, started from the Postgres programs of this machine.
//!
//! A small shell script (`supervisor.sh`) owns the server and its folder. When the pipe from this process closes, the
//! script stops the server and removes the folder. The operating system closes the pipe whenever this process ends,
//! even after a panic, a Ctrl-C or a `kill -9`. So nothing is left behind.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, fs};

use secrecy::{ExposeSecret, SecretString};

const SUPERVISOR: &str = include_str!("supervisor.sh");

/// How many free ports are tried before the start fails. Another process may take a free port before Postgres uses it,
/// so one attempt is not enough.
const PORTS_TRIED: usize = 5;

/// The options of a private server.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether commits are flushed to the disk. `false` is for tests: a commit then survives a crash of the server, but
    /// not a crash of the machine.
    pub durable: bool,
    /// The maximum number of connections.
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durable: true,
            max_connections: 200,
        }
    }
}

/// The reason why a private Postgres cannot be started or used.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// The Postgres server programs are not installed on the machine.
    #[error(
        "Postgres's programs initdb and pg_ctl are neither in PATH nor in \
         /usr/lib/postgresql/*/bin (Debian and Ubuntu: apt-get install postgresql)"
    )]
    NotInstalled,
    /// Postgres refuses to run as root, and the machine has no account `postgres` or `nobody` that can run it.
    #[error(
        "Postgres does not run as root, and there is neither a user postgres nor a user nobody"
    )]
    NoUnprivilegedUser,
    /// The operating system reported an error.
    #[error("cannot {action}")]
    System {
        /// The action that failed.
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A Postgres program or the supervisor failed.
    #[error("Postgres did not {action}: {output}")]
    Postgres {
        /// The action that was tried.
        action: &'static str,
        /// The last lines of the server's log. For a failure of the supervisor: its error message or its exit status.
        output: String,
    },
}

/// A running private Postgres. When this value is dropped, the server stops and its folder is removed.
#[derive(Debug)]
pub struct PrivatePostgres {
    supervisor: Child,
    replies: BufReader<ChildStdout>,
    folder: PathBuf,
    port: u16,
    password: SecretString,
}

impl PrivatePostgres {
    /// Creates a cluster in a temporary folder and starts it on a free port of 127.0.0.1.
    ///
    /// Blocks the calling thread for about a second. The other methods that wait for the server also block the calling
    /// thread.
    pub fn start(options: Options) -> Result<Self, PrivatePostgresError> {
        let mut supervisor = supervisor_command(options)?
            .spawn()
            .map_err(system("start sh, the supervisor of the private Postgres"))?;
        let replies = supervisor.stdout.take().ok_or_else(supervisor_gone)?;
        let mut postgres = Self {
            supervisor,
            replies: BufReader::new(replies),
            folder: PathBuf::new(),
            port: 0,
            password: uuid::Uuid::new_v4().simple().to_string().into(),
        };
        let password = postgres.password.clone();
        postgres.folder = postgres
            .ask("create a cluster", password.expose_secret())?
            .into();
        postgres.start_on_a_free_port()?;
        Ok(postgres)
    }

    /// The URL with which a superuser connects to this database. The database `postgres` exists from the start.
    pub fn url(&self, database: &str) -> String {
        let password = self.password.expose_secret();
        format!(
            "postgres://gateway:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// The folder that contains the cluster and the server's log. The folder is removed by [`PrivatePostgres::stop`]
    /// and when this value is dropped.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server as a crash would: connections break, and no data is flushed. The folder remains.
    pub fn kill_immediately(&mut self) -> Result<(), PrivatePostgresError> {
        self.ask("stop", "kill").map(drop)
    }

    /// Starts the server again after a kill, on the same port.
    pub fn start_again(&mut self) -> Result<(), PrivatePostgresError> {
        let command = format!("start {}", self.port);
        self.ask("start", &command).map(drop)
    }

    /// Stops the server and removes its folder. Returns when both steps are complete.
    pub fn stop(mut self) -> Result<(), PrivatePostgresError> {
        self.wait_for_the_end()
    }

    fn start_on_a_free_port(&mut self) -> Result<(), PrivatePostgresError> {
        let mut tries = 1;
        loop {
            self.port = free_port().map_err(system("find a free port"))?;
            match self.start_again() {
                Err(PrivatePostgresError::Postgres { .. }) if tries < PORTS_TRIED => tries += 1,
                result => return result,
            }
        }
    }

    /// Sends a line to the supervisor. Returns the text that follows the first word of the supervisor's answer.
    fn ask(&mut self, action: &'static str, line: &str) -> Result<String, PrivatePostgresError> {
        let commands = self.supervisor.stdin.as_mut().ok_or_else(supervisor_gone)?;
        // If the supervisor has ended, its last answer contains the reason. So an error of this write is reported only
        // if there is no answer.
        let sent = writeln!(commands, "{line}");
        let mut reply = String::new();
        let read = self.replies.read_line(&mut reply);
        read.map_err(system("read from the supervisor of the private Postgres"))?;
        let reply = reply.trim_end();
        match reply.split_once(' ').unwrap_or((reply, "")) {
            ("ok", words) => Ok(words.to_owned()),
            ("error", words) => Err(PrivatePostgresError::Postgres {
                action,
                output: words.to_owned(),
            }),
            ("absent", _) => Err(PrivatePostgresError::NotInstalled),
            _ => {
                sent.map_err(system("write to the supervisor of the private Postgres"))?;
                Err(supervisor_gone())
            }
        }
    }

    fn wait_for_the_end(&mut self) -> Result<(), PrivatePostgresError> {
        // `wait` first closes the pipe. The supervisor then stops the server and removes the folder.
        let status = self
            .supervisor
            .wait()
            .map_err(system("wait for the supervisor of the private Postgres"))?;
        if status.success() {
            Ok(())
        } else {
            Err(PrivatePostgresError::Postgres {
                action: "stop",
                output: status.to_string(),
            })
        }
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Err(error) = self.wait_for_the_end() {
            tracing::warn!(%error, "the private Postgres did not stop cleanly");
        }
    }
}

fn supervisor_command(options: Options) -> Result<Command, PrivatePostgresError> {
    let durable = if options.durable { "on" } else { "off" };
    let settings = format!(
        "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections={} \
         -c fsync={durable} -c full_page_writes={durable} -c min_wal_size=1GB",
        options.max_connections
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", SUPERVISOR, "supervisor.sh"])
        .arg(env::temp_dir())
        .arg(settings)
        // The server must not receive the environment of this process, because that environment may contain secrets of
        // the gateway.
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")))
        .env("LC_ALL", "C")
        .current_dir("/")
        // The supervisor has its own process group, so a Ctrl-C in the terminal does not reach it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if is_root()? {
        let passwd = fs::read_to_string("/etc/passwd").map_err(system("read /etc/passwd"))?;
        let account = account(&passwd, "postgres").or_else(|| account(&passwd, "nobody"));
        let (user, group) = account.ok_or(PrivatePostgresError::NoUnprivilegedUser)?;
        command.uid(user).gid(group);
    }
    Ok(command)
}

fn is_root() -> Result<bool, PrivatePostgresError> {
    let output = Command::new("id")
        .arg("-u")
        .output()
        .map_err(system("run id -u"))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// The user id and group id of an account in `/etc/passwd`.
fn account(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some((user, group))
    })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> PrivatePostgresError {
    move |source| PrivatePostgresError::System { action, source }
}

fn supervisor_gone() -> PrivatePostgresError {
    let action = "reach the supervisor of the private Postgres";
    PrivatePostgresError::System {
        action,
        source: io::ErrorKind::BrokenPipe.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n\
                      postgres-old:x:99:99::/:/bin/sh\n\
                      postgres:x:101:104:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n\
                      broken:x:not-a-number:1::/:\n\
                      nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";
        let cases = [
            ("postgres", Some((101, 104))),
            ("nobody", Some((65534, 65533))),
            ("broken", None),
            ("post", None),
        ];
        for (name, expected) in cases {
            assert_eq!(account(passwd, name), expected, "{name}");
        }
    }
}
