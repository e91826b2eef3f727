//! Tests that the private Postgres works. Also tests that no process and no file is left behind when the owner of the
//! server panics, is killed or receives a Ctrl-C.
#![expect(
    clippy::expect_used,
    reason = "helpers of tests are not #[test] functions themselves"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use private_postgres::{Options, PrivatePostgres};
use sqlx::{Connection, PgConnection};

const DEADLINE: Duration = Duration::from_secs(30);

fn start() -> PrivatePostgres {
    PrivatePostgres::start(Options {
        durable: false,
        ..Options::default()
    })
    .expect("a private Postgres")
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("a connection")
}

#[tokio::test]
async fn what_is_committed_survives_an_immediate_kill() {
    let mut postgres = start();
    let url = postgres.url("postgres");
    let mut connection = connect(&url).await;
    sqlx::raw_sql("CREATE TABLE kept AS SELECT 42 AS answer")
        .execute(&mut connection)
        .await
        .expect("a table");

    postgres.kill_immediately().expect("a kill");
    PgConnection::connect(&url)
        .await
        .expect_err("the server must not accept connections after the kill");
    postgres.start_again().expect("a second start");

    let kept = sqlx::raw_sql("SELECT answer FROM kept")
        .fetch_all(&mut connect(&url).await)
        .await;
    assert_eq!(kept.expect("the table is still there").len(), 1);
    postgres.stop().expect("a clean stop");
}

#[tokio::test]
async fn strangers_on_the_machine_are_refused() {
    let postgres = start();
    let url = postgres.url("postgres");
    let (account, place) = url.rsplit_once('@').expect("an address with an account");
    let (name, _password) = account
        .rsplit_once(':')
        .expect("an account with a password");
    PgConnection::connect(&format!("{name}:guess@{place}"))
        .await
        .expect_err("a wrong password");
    connect(&url).await;
}

#[tokio::test]
async fn a_panic_leaves_nothing_behind() {
    let postgres = start();
    let (folder, url) = (postgres.folder().to_owned(), postgres.url("postgres"));
    assert!(folder.exists());
    catch_unwind(AssertUnwindSafe(move || {
        let _owner = postgres;
        panic!("the owner fails");
    }))
    .expect_err("the panic");
    assert!(!folder.exists());
    PgConnection::connect(&url)
        .await
        .expect_err("the server must not accept connections any more");
}

#[tokio::test]
async fn kill_9_of_the_owner_leaves_nothing_behind() {
    let mut owner = Owner::start("kill-9");
    let mut connection = connect(&owner.url).await;
    owner.process.kill().expect("a kill");
    owner.process.wait().expect("an end");
    owner.leaves_nothing_behind(&mut connection).await;
}

#[tokio::test]
async fn ctrl_c_leaves_nothing_behind() {
    let mut owner = Owner::start("ctrl-c");
    let mut connection = connect(&owner.url).await;
    // A Ctrl-C in a terminal sends SIGINT to the whole foreground group: to the owner and to its command.
    let group = format!("-{}", owner.process.id());
    let sent = Command::new("kill")
        .args(["-INT", "--", &group])
        .status()
        .expect("kill runs");
    assert!(sent.success());
    let status = owner.process.wait().expect("an end");
    assert_eq!(
        status.code(),
        Some(130),
        "the exit code of a command that SIGINT has ended"
    );
    assert!(
        fs::read_dir(&owner.temporary_folder)
            .expect("the folder")
            .next()
            .is_none()
    );
    owner.leaves_nothing_behind(&mut connection).await;
}

#[test]
fn the_commands_exit_code_is_handed_on() {
    for (command, code) in [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137)] {
        let status = private_postgres_run()
            .args(["sh", "-c", command])
            .status()
            .expect("the binary runs");
        assert_eq!(status.code(), Some(code), "{command}");
    }
    let output = private_postgres_run()
        .arg("no-such-command")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("cannot run no-such-command: No such file"),
        "{said}"
    );
}

fn private_postgres_run() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_private-postgres"));
    command.args(["run", "--no-fsync", "--"]);
    command
}

/// Another process that owns a private Postgres. The process has its own temporary folder.
struct Owner {
    process: Child,
    url: String,
    temporary_folder: PathBuf,
}

impl Owner {
    fn start(name: &str) -> Self {
        let temporary_folder =
            std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&temporary_folder).expect("a new folder");
        // If the tests run as root, the server runs under another account. That account must also be able to write to
        // this folder.
        fs::set_permissions(&temporary_folder, fs::Permissions::from_mode(0o1777)).expect("a mode");
        // `cat` runs until its input ends. The test owns the writing end of this input, so `cat` also ends if the test
        // fails.
        let mut process = private_postgres_run()
            .args(["sh", "-c", "echo \"$DATABASE_URL\"; cat"])
            .env("TMPDIR", &temporary_folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut url = String::new();
        BufReader::new(process.stdout.take().expect("its output"))
            .read_line(&mut url)
            .expect("its address");
        Self {
            process,
            url: url.trim_end().to_owned(),
            temporary_folder,
        }
    }

    /// Waits until the server has closed this connection and the temporary folder is empty. Then checks that the server
    /// refuses new connections.
    async fn leaves_nothing_behind(&self, connection: &mut PgConnection) {
        let folder = &self.temporary_folder;
        tokio::time::timeout(DEADLINE, async {
            while connection.ping().await.is_ok() {}
            while !is_empty(folder) {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the server stops and its folder is removed before the deadline");
        PgConnection::connect(&self.url)
            .await
            .expect_err("the server must not accept connections any more");
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(fs::remove_dir_all(&self.temporary_folder));
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("the folder").next().is_none()
}
