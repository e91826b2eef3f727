//! `demo` runs the whole gateway on one machine, and sends the examples of the API documents to it over HTTP.

mod batch;
mod caller;
mod operators;
mod screen;
mod script;
mod stage;

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};

use self::{
    caller::Caller,
    screen::Summary,
    script::{Chapter, Examples},
    stage::Stage,
};

/// How long one operation may take. The sandbox answers immediately; a Fineract that has just been started is slow.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_WITH_FINERACT: Duration = Duration::from_mins(3);

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ends after the examples, with exit code 0 if all went as expected, and otherwise with 1.
    #[arg(long)]
    once: bool,
    /// Runs against this Fineract instead of the sandbox. The URL ends with /api/v1. The demo first creates what this
    /// Fineract lacks (see `setup-fineract`). It uses the account in `FINERACT_USER`, `FINERACT_PASSWORD` and
    /// `FINERACT_TENANT` (by default mifos, password, default).
    #[arg(long, value_name = "URL")]
    fineract: Option<String>,
    /// Listens at this address [default: 127.0.0.1:8080, or a free port if port 8080 is in use].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Starts everything, sends the examples, and keeps running until Ctrl-C or SIGTERM.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut interrupt = Interrupt::new()?;
    let stage = tokio::select! {
        stage = Stage::set(&arguments) => stage?,
        () = interrupt.wait() => return Ok(ExitCode::FAILURE),
    };
    let performed = tokio::select! {
        performed = perform(&stage, &arguments) => Some(performed),
        () = interrupt.wait() => None,
        () = stage.failed() => None,
    };
    let is_good = match performed {
        Some(Ok(is_good)) if arguments.once => is_good,
        Some(Ok(is_good)) => tokio::select! {
            () = interrupt.wait() => is_good,
            () = stage.failed() => false,
        },
        Some(Err(error)) => {
            anstream::eprintln!("the demo did not complete: {error:#}");
            false
        }
        None => false,
    };
    if !is_good {
        stage.show_complaints();
    }
    stage.clear().await?;
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Sends the examples. Returns whether all ended as expected.
async fn perform(stage: &Stage, arguments: &Arguments) -> anyhow::Result<bool> {
    let is_real = arguments.fineract.is_some();
    let patience = if is_real {
        PATIENCE_WITH_FINERACT
    } else {
        PATIENCE
    };
    let caller = Caller::new(stage.address, patience)?;
    let examples = Examples::read(is_real.then(|| fastrand::u32(..100_000_000)))?;
    let mut summary = Summary::default();
    for chapter in examples.script(&stage.lenders) {
        screen::show_title(chapter.title);
        play(&caller, &chapter, &mut summary).await?;
    }
    batch::play(&caller, &examples, &mut summary).await?;
    summary.show();
    if !arguments.once {
        operators::play(&caller, stage, &examples).await?;
        screen::show_what_to_try(stage, &examples, &summary);
    }
    Ok(summary.is_good())
}

async fn play(caller: &Caller, chapter: &Chapter, summary: &mut Summary) -> anyhow::Result<()> {
    let mut under_way = Vec::new();
    for step in &chapter.steps {
        under_way.push((caller.send(&step.body).await?, step));
        if chapter.is_at_once && under_way.len() < chapter.steps.len() {
            continue;
        }
        for (sent, step) in under_way.drain(..) {
            let seen = caller.follow(&sent).await?;
            screen::show_step(step, &sent, &seen);
            summary.add(&sent, &seen, step.expected);
        }
    }
    Ok(())
}

/// The signals that end the demo: Ctrl-C and SIGTERM.
#[derive(Debug)]
struct Interrupt {
    interrupts: Signal,
    terminations: Signal,
}

impl Interrupt {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }
}
