//! One gateway process: its start, its many deaths, and the signals it gets.

use std::{
    fs::{self, File},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
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
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);

const CANNOT_START: &str = "a gateway cannot be started";

/// A gateway that is started as often as it dies.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Where it listens, in every life.
    pub(crate) address: SocketAddr,
    /// Where the log of this life goes.
    pub(crate) stderr: Mutex<Stderr>,
    number: usize,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    life: Mutex<Life>,
}

/// The life it is in.
#[derive(Debug, Default)]
struct Life {
    child: Option<Child>,
    injection: Option<Injection>,
    /// It was killed, or asked to end, by us.
    by_us: bool,
    is_stopped: bool,
    was_resumed: bool,
    lives: u32,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// By a signal of ours.
    ByUs,
    /// By its own hand, at the point of its order.
    AtPoint(Injection),
    /// By itself.
    Unasked,
}

impl Gateway {
    /// A gateway that is yet to be started; it writes its logs into `folder`.
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
            life: Mutex::default(),
        }
    }

    /// Begins a life, with an order for it; does nothing while one lasts.
    pub(crate) async fn start(&self, injection: Option<Injection>) -> anyhow::Result<()> {
        let mut life = self.life.lock().await;
        if life.child.is_some() {
            return Ok(());
        }
        let lives = life.lives + 1;
        let log = File::create(self.log(lives)).context("a log cannot be written")?;
        let child = self.command(injection)?.stderr(log).spawn();
        *self.stderr.lock().await = Stderr::ToFile;
        *life = Life {
            child: Some(child.context(CANNOT_START)?),
            injection,
            lives,
            ..Life::default()
        };
        Ok(())
    }

    /// Begins a new life without an order, whatever becomes of the old one: a talkative one, whose log goes
    /// through a pipe.
    pub(crate) async fn restart_piped(&self) -> anyhow::Result<()> {
        self.end_life().await?;
        let mut life = self.life.lock().await;
        let lives = life.lives + 1;
        let log = File::create(self.log(lives)).context("a log cannot be written")?;
        let mut command = self.command(None)?;
        let talkative = command.env("LOG_FILTER", "debug").stderr(Stdio::piped());
        let mut child = talkative.spawn().context(CANNOT_START)?;
        if let Some(stderr) = child.stderr.take() {
            *self.stderr.lock().await = Stderr::through_pipe(stderr, log);
        }
        *life = Life {
            child: Some(child),
            lives,
            ..Life::default()
        };
        Ok(())
    }

    fn command(&self, injection: Option<Injection>) -> anyhow::Result<Command> {
        let is_broken = |(name, _): &(String, String)| name == SABOTAGE_VARIABLE;
        let mut command = Command::new(
            if injection.is_some() || self.settings.iter().any(is_broken) {
                program(WITH_FAULTS)?
            } else {
                program(PRODUCT)?
            },
        );
        command
            .arg("serve")
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

    /// Waits until it takes operations.
    pub(crate) async fn until_ready(&self, http: &Client) -> anyhow::Result<()> {
        let started = Instant::now();
        let url = format!("http://{}/readyz", self.address);
        loop {
            let answer = http.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if started.elapsed() > START {
                bail!("a gateway does not start");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The number of its process, while it lives.
    pub(crate) async fn process(&self) -> Option<u32> {
        self.life.lock().await.child.as_ref().and_then(Child::id)
    }

    fn log(&self, life: u32) -> PathBuf {
        self.folder
            .join(format!("gateway-{}.{life}.log", self.number))
    }

    /// Begins a new life, whatever becomes of the old one.
    pub(crate) async fn restart(&self, injection: Option<Injection>) -> anyhow::Result<()> {
        self.end_life().await?;
        self.start(injection).await
    }

    async fn end_life(&self) -> anyhow::Result<()> {
        self.kill().await;
        let old = self.life.lock().await.child.take();
        if let Some(mut old) = old {
            old.wait().await.context("a gateway does not die")?;
        }
        Ok(())
    }

    /// Kills it, as `kill -9`; whether it lived.
    pub(crate) async fn kill(&self) -> bool {
        let mut life = self.life.lock().await;
        life.by_us = true;
        life.child
            .as_mut()
            .is_some_and(|child| child.start_kill().is_ok())
    }

    /// Asks it to end, by SIGTERM; whether it lived.
    pub(crate) async fn terminate(&self) -> bool {
        self.life.lock().await.by_us = true;
        self.signal(Signal::TERM).await
    }

    /// Stops it, by SIGSTOP; whether it lived.
    pub(crate) async fn stop(&self) -> bool {
        self.life.lock().await.is_stopped = true;
        self.signal(Signal::STOP).await
    }

    /// Lets it go on.
    pub(crate) async fn resume(&self) -> bool {
        {
            let mut life = self.life.lock().await;
            life.is_stopped = false;
            life.was_resumed = true;
        }
        self.signal(Signal::CONT).await
    }

    async fn signal(&self, signal: Signal) -> bool {
        let life = self.life.lock().await;
        let pid = life.child.as_ref().and_then(Child::id);
        let pid = pid.and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Whether it has stopped itself, by its order.
    pub(crate) async fn has_stopped_itself(&self) -> Option<Injection> {
        let life = self.life.lock().await;
        let injection = life
            .injection
            .filter(|injection| injection.action == Action::Stop)?;
        if life.was_resumed || life.child.is_none() {
            return None;
        }
        self.carried_out(&life).then_some(injection)
    }

    fn carried_out(&self, life: &Life) -> bool {
        fs::read_to_string(self.log(life.lives))
            .is_ok_and(|log| log.contains(points::INJECTION_REACHED))
    }

    /// Whether it lives.
    pub(crate) async fn is_alive(&self) -> bool {
        self.life.lock().await.child.is_some()
    }

    /// Whether it is stopped, by us or by itself.
    pub(crate) async fn is_stopped(&self) -> bool {
        let by_us = self.life.lock().await.is_stopped;
        by_us || self.has_stopped_itself().await.is_some()
    }

    /// Whether it has an order that it has not carried out.
    pub(crate) async fn is_armed(&self) -> bool {
        let life = self.life.lock().await;
        life.injection.is_some() && !self.carried_out(&life)
    }

    /// Notices a death.
    pub(crate) async fn bury(&self) -> Option<Death> {
        let mut life = self.life.lock().await;
        let status = life.child.as_mut()?.try_wait().ok().flatten()?;
        life.child = None;
        let at_point = life
            .injection
            .filter(|injection| injection.action == Action::Die && self.carried_out(&life));
        Some(match at_point {
            Some(injection) => Death::AtPoint(injection),
            None if life.by_us => Death::ByUs,
            None => {
                let (code, signal) = (status.code(), status.signal());
                tracing::warn!(
                    gateway = self.number,
                    code,
                    signal,
                    "a gateway ended by itself"
                );
                Death::Unasked
            }
        })
    }
}
