//! A gateway that runs as a process of its own: how it is started and ended, and the signals that it gets.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex as StdMutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::Mutex,
};

use super::{
    program::{PRODUCT, WITH_FAULTS, program},
    stderr::Stderr,
};
use fineract_gateway::cli::lab::SABOTAGE_VARIABLE;
use fineract_gateway::points::{self, Action, INJECTION_VARIABLE, Injection};

/// How long a gateway may take to start.
const START: Duration = Duration::from_secs(30);
/// The interval between two checks whether a gateway has started.
const POLL: Duration = Duration::from_millis(50);

const CANNOT_START: &str = "cannot start a gateway";

/// A gateway that can be started again each time its process has ended.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// The address at which every process of this gateway listens.
    pub(crate) address: SocketAddr,
    /// The destination of the current process's log.
    pub(crate) stderr: Mutex<Stderr>,
    number: usize,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    release: StdMutex<Option<PathBuf>>,
    run: Mutex<Run>,
}

/// One process of the gateway, from its start to its end.
#[derive(Debug, Default)]
struct Run {
    child: Option<Child>,
    injection: Option<Injection>,
    /// Whether `prove` or `bench` sent the process SIGKILL or SIGTERM.
    ended_by_signal: bool,
    is_stopped: bool,
    was_resumed: bool,
    number: u32,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// By a SIGKILL or SIGTERM of `prove` or `bench`.
    BySignal,
    /// By itself, at the fault point of its injection.
    AtPoint(Injection),
    /// By itself, without an injection.
    Unexpected,
}

impl Gateway {
    /// A gateway that is not started yet. It will write its logs into `folder`.
    pub(crate) fn new(
        number: usize,
        address: SocketAddr,
        folder: &Path,
        settings: Vec<(String, String)>,
    ) -> Self {
        Self {
            address,
            stderr: Mutex::default(),
            number,
            folder: folder.to_owned(),
            settings,
            release: StdMutex::default(),
            run: Mutex::default(),
        }
    }

    /// Lets the next processes run this binary of a release, which leaves the schema as it is.
    pub(crate) fn run_release(&self, program: &Path) {
        let mut release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        *release = Some(program.to_owned());
    }

    /// Starts a process, with an injection if one is given. Does nothing while a process runs.
    pub(crate) async fn start(&self, injection: Option<Injection>) -> anyhow::Result<()> {
        let mut run = self.run.lock().await;
        if run.child.is_some() {
            return Ok(());
        }
        let number = run.number + 1;
        let log = File::create(self.log(number)).context("cannot write a log")?;
        let child = self.command(injection)?.stderr(log).spawn();
        *self.stderr.lock().await = Stderr::ToFile;
        *run = Run {
            child: Some(child.context(CANNOT_START)?),
            injection,
            number,
            ..Run::default()
        };
        Ok(())
    }

    /// Kills the current process. Then starts a process without an injection, and reads its debug log through a pipe.
    pub(crate) async fn restart_piped(&self) -> anyhow::Result<()> {
        self.end_run().await?;
        let mut run = self.run.lock().await;
        let number = run.number + 1;
        let log = File::create(self.log(number)).context("cannot write a log")?;
        let mut command = self.command(None)?;
        let with_pipe = command.env("LOG_FILTER", "debug").stderr(Stdio::piped());
        let mut child = with_pipe.spawn().context(CANNOT_START)?;
        if let Some(stderr) = child.stderr.take() {
            *self.stderr.lock().await = Stderr::through_pipe(stderr, log);
        }
        *run = Run {
            child: Some(child),
            number,
            ..Run::default()
        };
        Ok(())
    }

    fn command(&self, injection: Option<Injection>) -> anyhow::Result<Command> {
        let is_sabotage = |(name, _): &(String, String)| name == SABOTAGE_VARIABLE;
        let release = self.release.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(match &*release {
            Some(release) => release.clone(),
            None if injection.is_some() || self.settings.iter().any(is_sabotage) => {
                program(WITH_FAULTS)?
            }
            None => program(PRODUCT)?,
        });
        command
            .arg("serve")
            .args(release.as_ref().map(|_| "--no-migrate"))
            .env_clear()
            .envs(self.settings.iter().cloned())
            .env("HTTP_LISTEN", self.address.to_string())
            .envs(injection.map(|injection| (INJECTION_VARIABLE, injection.to_string())))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    /// Waits until the gateway accepts operations.
    pub(crate) async fn until_ready(&self, http: &Client) -> anyhow::Result<()> {
        let started = Instant::now();
        let url = format!("http://{}/readyz", self.address);
        loop {
            let answer = http.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if started.elapsed() > START {
                bail!("a gateway has not started in time");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The id of the current process, while one runs.
    pub(crate) async fn process(&self) -> Option<u32> {
        self.run.lock().await.child.as_ref().and_then(Child::id)
    }

    fn log(&self, run: u32) -> PathBuf {
        self.folder
            .join(format!("gateway-{}.{run}.log", self.number))
    }

    /// Kills the current process, and starts another one, with an injection if one is given.
    pub(crate) async fn restart(&self, injection: Option<Injection>) -> anyhow::Result<()> {
        self.end_run().await?;
        self.start(injection).await
    }

    async fn end_run(&self) -> anyhow::Result<()> {
        self.kill().await;
        let old = self.run.lock().await.child.take();
        if let Some(mut old) = old {
            old.wait().await.context("a gateway does not end")?;
        }
        Ok(())
    }

    /// Sends SIGKILL. Returns whether a process was running.
    pub(crate) async fn kill(&self) -> bool {
        let mut run = self.run.lock().await;
        run.ended_by_signal = true;
        run.child
            .as_mut()
            .is_some_and(|child| child.start_kill().is_ok())
    }

    /// Sends SIGTERM. Returns whether a process was running.
    pub(crate) async fn terminate(&self) -> bool {
        self.run.lock().await.ended_by_signal = true;
        self.signal(Signal::TERM).await
    }

    /// Sends SIGSTOP. Returns whether a process was running.
    pub(crate) async fn stop(&self) -> bool {
        self.run.lock().await.is_stopped = true;
        self.signal(Signal::STOP).await
    }

    /// Sends SIGCONT. Returns whether a process was running.
    pub(crate) async fn resume(&self) -> bool {
        {
            let mut run = self.run.lock().await;
            run.is_stopped = false;
            run.was_resumed = true;
        }
        self.signal(Signal::CONT).await
    }

    async fn signal(&self, signal: Signal) -> bool {
        let run = self.run.lock().await;
        let pid = run.child.as_ref().and_then(Child::id);
        let pid = pid.and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// The injection by which the process has stopped itself. `None` if the process has not stopped itself,
    /// or was resumed after that.
    pub(crate) async fn has_stopped_itself(&self) -> Option<Injection> {
        let run = self.run.lock().await;
        let injection = run
            .injection
            .filter(|injection| injection.action == Action::Stop)?;
        if run.was_resumed || run.child.is_none() {
            return None;
        }
        self.has_performed_injection(&run).then_some(injection)
    }

    fn has_performed_injection(&self, run: &Run) -> bool {
        fs::read_to_string(self.log(run.number))
            .is_ok_and(|log| log.contains(points::INJECTION_REACHED))
    }

    /// Whether a process is running or has not been reaped yet.
    pub(crate) async fn is_alive(&self) -> bool {
        self.run.lock().await.child.is_some()
    }

    /// Whether the process is stopped, by a signal or by itself.
    pub(crate) async fn is_stopped(&self) -> bool {
        let by_signal = self.run.lock().await.is_stopped;
        by_signal || self.has_stopped_itself().await.is_some()
    }

    /// Whether the process has an injection that it has not performed yet.
    pub(crate) async fn has_pending_injection(&self) -> bool {
        let run = self.run.lock().await;
        run.injection.is_some() && !self.has_performed_injection(&run)
    }

    /// How the process ended, if it has ended since the last call.
    pub(crate) async fn reap(&self) -> Option<Death> {
        let mut run = self.run.lock().await;
        let status = run.child.as_mut()?.try_wait().ok().flatten()?;
        run.child = None;
        let at_point = run.injection.filter(|injection| {
            injection.action == Action::Die && self.has_performed_injection(&run)
        });
        Some(match at_point {
            Some(injection) => Death::AtPoint(injection),
            None if run.ended_by_signal => Death::BySignal,
            None => {
                let (code, signal) = (status.code(), status.signal());
                tracing::warn!(
                    gateway = self.number,
                    code,
                    signal,
                    "a gateway ended by itself"
                );
                Death::Unexpected
            }
        })
    }
}
