//! Processes one request, from its arrival to its answer.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Handle};
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Method, Response, StatusCode};
use tokio::time::sleep;

use super::Sandbox;
use super::auth;
use super::books::Books;
use super::call::Call;
use super::commands::{Begun, Row};
use super::failure::{Failure, standard};
use super::faults::{Asked, Effect, Kind};
use super::reply::Reply;
use super::routes::{self, Resource};
use super::state::{Twist, Write, echo};
use super::wire::Line;

/// The maximum size of a request's body, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How much of the answer is sent. If it is not the whole answer, the connection is cut.
enum Sent {
    Whole(Reply),
    Half(Reply),
    Nothing,
}

/// The result of an attempt to run a command.
enum Attempt {
    Answered(Reply),
    /// The record of the command was made and has this id. The command must still be run.
    Begun(i64),
    /// A record with this key exists, but it contains no answer.
    Busy,
}

/// Answers a request to Fineract's API.
pub(super) async fn answer(Handle(sandbox): Handle<Sandbox>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let line = head
        .extensions
        .get::<ConnectInfo<Line>>()
        .map(|ConnectInfo(line)| line.clone());
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return Reply::html(StatusCode::BAD_REQUEST).into_response();
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let call = Call::new(head.method, &head.uri, head.headers, body);
    let sent = sandbox.process(call).await;
    let cut_after = |body_bytes| line.as_ref().map(|line| line.cut_after(body_bytes));
    let mut response = match sent {
        Sent::Whole(reply) => reply.into_response(),
        Sent::Half(reply) => {
            cut_after((reply.body.len() / 2).max(1));
            reply.into_response()
        }
        Sent::Nothing => {
            cut_after(0);
            Reply::html(StatusCode::BAD_GATEWAY).into_response()
        }
    };
    if line.as_ref().is_some_and(Line::ends) {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Sandbox {
    /// Processes the request. If a fault hits the request, applies the fault.
    async fn process(&self, call: Call) -> Sent {
        let command = call.query("command");
        let strike = {
            let mut state = self.lock();
            let key = state.keys.sent(&call);
            let asked = Asked {
                method: &call.method,
                path: &call.path,
                command,
                key,
            };
            state.faults.hit(&asked)
        };
        let Some((fault, delay)) = strike else {
            return Sent::Whole(self.serve_call(&call, Twist::None).await);
        };
        match fault {
            Kind::ResetBefore => Sent::Nothing,
            Kind::Redirect => Sent::Whole(Reply::redirect()),
            Kind::Unauthorized => {
                Sent::Whole(standard(StatusCode::UNAUTHORIZED, &call.path).challenged())
            }
            Kind::Forbidden => Sent::Whole(Failure::NotAuthorized.reply(&call.path)),
            Kind::LoanLocked => Sent::Whole(Failure::Locked.reply(&call.path)),
            Kind::Scheduler503 => Sent::Whole(Failure::SchedulerRunning.reply(&call.path)),
            Kind::LateEffect => self.commit_later(&call, delay, Row::UnderProcessing),
            Kind::ConflictPasses => {
                let conflict = Failure::Conflict.reply(&call.path);
                self.commit_later(&call, delay, Row::Ended(conflict))
            }
            Kind::Slow => {
                let reply = self.serve_call(&call, Twist::None).await;
                sleep(delay).await;
                Sent::Whole(reply)
            }
            Kind::Status500(effect) => {
                let failure = Failure::Unmapped("injected by the sandbox".to_owned());
                let broken = Twist::Broken(failure, effect);
                Sent::Whole(self.serve_call(&call, broken).await)
            }
            Kind::Conflict409 => {
                let broken = Twist::Broken(Failure::Conflict, Effect::Never);
                Sent::Whole(self.serve_call(&call, broken).await)
            }
            Kind::Stuck { effect } => {
                Sent::Whole(self.serve_call(&call, Twist::Stuck { effect }).await)
            }
            Kind::MakerChecker => Sent::Whole(self.serve_call(&call, Twist::Maker).await),
            Kind::DeliveredTwice => {
                self.serve_call(&call, Twist::None).await;
                Sent::Whole(self.serve_call(&call, Twist::None).await)
            }
            Kind::ResetAfter => {
                self.serve_call(&call, Twist::None).await;
                Sent::Nothing
            }
            Kind::Status502After => {
                self.serve_call(&call, Twist::None).await;
                Sent::Whole(Reply::html(StatusCode::BAD_GATEWAY))
            }
            Kind::TruncatedAfter => Sent::Half(self.serve_call(&call, Twist::None).await),
            Kind::GarbageAfter => {
                let reply = self.serve_call(&call, Twist::None).await;
                Sent::Whole(Reply {
                    body: "{\"clientId\":".to_owned(),
                    ..reply
                })
            }
        }
    }

    /// Answers a request in the form of the chosen release. `twist` is the change that a fault makes.
    async fn serve_call(&self, call: &Call, twist: Twist) -> Reply {
        let reply = self.execute(call, twist).await;
        self.release().worded(call, reply)
    }

    async fn execute(&self, call: &Call, twist: Twist) -> Reply {
        let write = match self.understand(call, &twist) {
            Ok(write) => write,
            Err(reply) => return reply,
        };
        // Before Fineract answers 425, it checks three times whether the running command has ended.
        for wait in [self.pause / 3, self.pause * 2 / 3, Duration::ZERO] {
            match self.attempt(&write, &twist) {
                Attempt::Answered(reply) => return reply,
                Attempt::Begun(id) => return self.finish_later(id, write, twist).await,
                Attempt::Busy => sleep(wait).await,
            }
        }
        echo(&write)
    }

    /// Runs the command, or finds its stored answer.
    fn attempt(&self, write: &Write, twist: &Twist) -> Attempt {
        let mut state = self.lock();
        let is_1_10_1 = state.release.is_1_10_1();
        match state.begin(write) {
            Begun::Started(id) if is_1_10_1 => {
                state.commands.set(id, Row::Starting);
                Attempt::Begun(id)
            }
            Begun::Started(id) => Attempt::Answered(state.finish(id, write, twist.clone())),
            Begun::Replayed(reply) => Attempt::Answered(reply),
            Begun::WaitsForChecker if !is_1_10_1 => Attempt::Busy,
            Begun::Busy => Attempt::Busy,
            Begun::WaitsForChecker | Begun::Raced | Begun::KeyTooLong => Attempt::Answered(
                Failure::constraint("error.msg.data.integrity.issue").reply(&write.path),
            ),
        }
    }

    /// Waits for a third of the pause, and then runs the command. Other requests with the same key can arrive during
    /// the wait. The command runs even if its caller has closed the connection.
    async fn finish_later(&self, id: i64, write: Write, twist: Twist) -> Reply {
        let (sandbox, path) = (self.clone(), write.path.clone());
        let finished = self.tasks.spawn(async move {
            sleep(sandbox.pause / 3).await;
            let mut state = sandbox.lock();
            state.commands.set(id, Row::UnderProcessing);
            state.finish(id, &write, twist)
        });
        let broken = |_ended| Failure::Unmapped("ended".to_owned()).reply(&path);
        finished.await.unwrap_or_else(broken)
    }

    /// Performs all steps before a command is recorded: login, route, nightly lock, Content-Type, permission and body.
    /// Returns the command. Returns an answer as `Err` if the request is refused, and also if the request is a read or
    /// an action of a checker.
    fn understand(&self, call: &Call, twist: &Twist) -> Result<Write, Reply> {
        let mut state = self.lock();
        if let Some(reply) = call.refused_path() {
            return Err(reply);
        }
        let user = auth::user(call, &state.users)?;
        let segments = call.segments().unwrap_or_default();
        let resource =
            Resource::of(&segments).ok_or_else(|| standard(StatusCode::NOT_FOUND, &call.path))?;
        let no_method = || standard(StatusCode::METHOD_NOT_ALLOWED, &call.path);
        if call.method == Method::GET {
            if let Twist::Broken(failure, _) = twist {
                return Err(failure.reply(&call.path));
            }
            return Err(routes::read(&state, call, &resource, user).unwrap_or_else(no_method));
        }
        if !user.writes_through_lock() && locked(&state.books, &resource) {
            return Err(Failure::Locked.reply(&call.path));
        }
        if call.has_wrong_type() {
            return Err(standard(StatusCode::UNSUPPORTED_MEDIA_TYPE, &call.path));
        }
        if matches!(resource, Resource::Login) {
            return Err(user.login(&call.body, &call.path));
        }
        if let Resource::MakerChecker(id) = resource {
            let user = user.clone();
            return Err(state.check(call, id, &user).unwrap_or_else(no_method));
        }
        let write = routes::write(&state, call, &resource, user).ok_or_else(no_method)?;
        write.map_err(|failure| failure.reply(&call.path))
    }

    /// Records the command, cuts the connection, and commits the effect after the delay. During the delay, the
    /// command's record is in the state `meanwhile`.
    fn commit_later(&self, call: &Call, delay: Duration, meanwhile: Row) -> Sent {
        let Ok(write) = self.understand(call, &Twist::None) else {
            return Sent::Nothing;
        };
        let (begun, started_at) = {
            let mut state = self.lock();
            let begun = state.begin(&write);
            if let Begun::Started(id) = begun {
                state.commands.set(id, meanwhile);
            }
            (begun, state.started_at)
        };
        if let Begun::Started(id) = begun {
            let sandbox = self.clone();
            self.tasks.spawn(async move {
                sleep(delay).await;
                let mut state = sandbox.lock();
                // If Fineract was restarted during the delay, the command has no effect. Its record remains.
                if state.started_at == started_at {
                    state.finish(id, &write, Twist::None);
                }
            });
        }
        Sent::Nothing
    }
}

/// Whether the nightly job has locked the loan of this resource.
fn locked(books: &Books, resource: &Resource) -> bool {
    let (Resource::Loan(name) | Resource::Transactions(name) | Resource::Transaction(name, _)) =
        resource
    else {
        return false;
    };
    books
        .loan_id(name)
        .is_ok_and(|id| books.locked_loans.contains(&id))
}
