//! The fault points of a build that performs injections.

use std::{
    io::{self, Write as _},
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use rustix::process::{Signal, getpid, kill_process};

use super::{Action, INJECTION_REACHED, Injection, Point};
use crate::domain::OperationType;

/// How long `on_the_wire` waits for an answer before it assumes that Fineract has received the command. On one
/// machine, a command arrives within this time.
const ON_THE_WIRE: Duration = Duration::from_millis(25);

struct Armed {
    injection: Injection,
    passings: AtomicU32,
}

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms this process with an injection. Only the first call has an effect.
pub fn arm(injection: Injection) {
    let passings = AtomicU32::new(0);
    if ARMED
        .set(Armed {
            injection,
            passings,
        })
        .is_ok()
    {
        IS_ARMED.store(true, Ordering::Release);
    }
}

fn armed(point: Point, operation_type: Option<OperationType>) -> Option<&'static Armed> {
    if !IS_ARMED.load(Ordering::Relaxed) {
        return None;
    }
    ARMED.get().filter(|armed| {
        armed.injection.point == point
            && (armed.injection.operation_type.is_none()
                || armed.injection.operation_type == operation_type)
    })
}

/// Called at each fault point. Performs the injection if this is the injection's point, and if this is the passing
/// with the injection's number, counted from 1.
pub fn reach(point: Point, operation_type: impl Into<Option<OperationType>>) {
    let Some(armed) = armed(point, operation_type.into()) else {
        return;
    };
    if armed.passings.fetch_add(1, Ordering::AcqRel) + 1 == armed.injection.passing {
        perform(armed.injection);
    }
}

/// Waits for the answer to a command, and passes [`Point::AfterSend`] while waiting. If this point is armed and the
/// answer comes at once, the point does not count as passed, because the answer may have been read already.
pub async fn on_the_wire<T>(operation_type: OperationType, sending: impl Future<Output = T>) -> T {
    if armed(Point::AfterSend, Some(operation_type)).is_none() {
        return sending.await;
    }
    let mut sending = pin!(sending);
    if let Ok(answer) = tokio::time::timeout(ON_THE_WIRE, &mut sending).await {
        return answer;
    }
    reach(Point::AfterSend, operation_type);
    sending.await
}

/// Waits for the answer to a statement, and passes the point once for each operation while waiting.
pub async fn in_flight<T>(
    point: Point,
    operation_types: Vec<OperationType>,
    statement: impl Future<Output = T>,
) -> T {
    let mut statement = pin!(statement);
    let is_armed = |operation_type: &OperationType| armed(point, Some(*operation_type)).is_some();
    if operation_types.iter().any(is_armed) {
        if let Poll::Ready(answer) = futures_util::poll!(statement.as_mut()) {
            return answer;
        }
        for operation_type in operation_types {
            reach(point, operation_type);
        }
    }
    statement.await
}

/// Writes the message to standard error directly, because the signal also ends or stops the thread that writes the
/// log.
fn perform(injection: Injection) {
    let signal = match injection.action {
        Action::Die => Signal::KILL,
        Action::Stop => Signal::STOP,
    };
    let performed = writeln!(io::stderr(), "{INJECTION_REACHED}: {injection}")
        .and_then(|()| Ok(kill_process(getpid(), signal)?));
    if let Err(error) = performed {
        tracing::error!(%error, "an injection could not be performed");
    }
}
