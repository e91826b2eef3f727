//! A build that obeys.

use std::{
    io::{self, Write as _},
    pin::pin,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use rustix::process::{Signal, getpid, kill_process};

use super::{Action, CARRIED_OUT, Injection, Point};
use crate::domain::OperationType;

/// How long a command is given to leave and an answer to come: on one machine it is on the wire by then.
const ON_THE_WIRE: Duration = Duration::from_millis(25);

struct Armed {
    injection: Injection,
    passings: AtomicU32,
}

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms this process, once.
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

/// Passes a point. The armed one does what its order says.
pub fn reach(point: Point, operation_type: impl Into<Option<OperationType>>) {
    let Some(armed) = armed(point, operation_type.into()) else {
        return;
    };
    if armed.passings.fetch_add(1, Ordering::AcqRel) + 1 == armed.injection.passing {
        carry_out(armed.injection);
    }
}

/// Waits for a command's answer, and passes [`Point::AfterSend`] while it is out. Where that is armed, an
/// answer that comes at once is no passing: nothing tells that it was not read already.
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

/// Says so first, past the log's own writer, which would not come to it any more.
fn carry_out(injection: Injection) {
    let signal = match injection.action {
        Action::Die => Signal::KILL,
        Action::Stop => Signal::STOP,
    };
    let carried_out = writeln!(io::stderr(), "{CARRIED_OUT}: {injection}")
        .and_then(|()| Ok(kill_process(getpid(), signal)?));
    if let Err(error) = carried_out {
        tracing::error!(%error, "an injection at a point cannot be carried out");
    }
}
