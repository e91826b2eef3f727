//! The sandbox's admin interface. It adds faults and shows the ledger. It also produces states that only a crash or an
//! administrator can cause in a real Fineract.

use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Handle;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};

use super::Sandbox;
use super::books::Named;
use super::json::{Json, Object, object};
use super::keys::KeySettings;
use super::reply::Reply;

/// The routes below `/sandbox`. No route requires credentials.
pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route(
            "/faults",
            get(list_faults).post(add_faults).delete(clear_faults),
        )
        .route("/ledger", get(show_ledger))
        .route("/reset", post(reset))
        .route("/restart", post(restart))
        .route("/renumber", post(renumber_loan))
        .route("/keys", post(restart_with_keys))
        .route("/users", post(add_user))
        .route("/locks", post(lock_loan))
        .route("/maker-checker", post(set_maker_checker))
        .route("/strand", post(strand_command))
}

async fn list_faults(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    Reply::ok(sandbox.lock().faults.json().compact()).into_response()
}

async fn add_faults(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let added = Json::parse(&body)
        .map_err(|_broken| "a JSON array of faults is required".to_owned())
        .and_then(|json| sandbox.lock().faults.add(&json));
    match added {
        Ok(()) => list_faults(Handle(sandbox)).await,
        Err(problem) => refused(&problem),
    }
}

async fn clear_faults(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    sandbox.lock().faults = super::faults::Faults::default();
    done()
}

async fn show_ledger(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    Reply::ok(sandbox.lock().ledger.json().compact()).into_response()
}

/// Body: `{"fineractVersion"}`, or none. Resets the whole state. Without a version, the release stays the same.
async fn reset(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let asked = object_of(&body).unwrap_or_default();
    let version = asked.get("fineractVersion").and_then(Json::as_text);
    match version.map(str::parse).transpose() {
        Ok(release) => {
            sandbox.reset(release);
            done()
        }
        Err(problem) => refused(problem),
    }
}

/// Simulates a restart of Fineract. The data and the records of commands remain. If a fault (`late_effect`,
/// `conflict_passes`) has delayed the effect of a command, this effect never happens after the restart.
async fn restart(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    sandbox.lock().started_at = SystemTime::now();
    done()
}

/// Body: `{"externalId"}`. Gives this loan a new number. A copy of the loan, with another external id, keeps the old
/// number. So the old number refers to another loan. A restore of Fineract's database can have the same result.
async fn renumber_loan(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let external_id = object_of(&body)
        .as_ref()
        .and_then(|json| json.get("externalId"))
        .and_then(Json::as_text)
        .map(str::to_owned);
    let renumbered =
        external_id.is_some_and(|external_id| sandbox.lock().books.renumber(&external_id));
    if renumbered {
        done()
    } else {
        refused("no such loan")
    }
}

/// Body: `{"header", "ignored"}`. Simulates a restart of Fineract with these settings for idempotency keys. A setting
/// that is missing gets its default.
async fn restart_with_keys(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let Some(json) = object_of(&body) else {
        return refused("a JSON object is required");
    };
    sandbox.restart_with_keys(KeySettings::read(&json));
    done()
}

/// Body: `{"name", "password", "permissions": [...]}`. Adds a user. A user without `permissions` has all permissions.
async fn add_user(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let Some(user) = object_of(&body) else {
        return refused("a JSON object is required");
    };
    let text = |key: &str| user.get(key).and_then(Json::as_text).unwrap_or_default();
    let permissions = user.get("permissions").and_then(Json::as_list);
    let permissions = permissions.map(|list| {
        list.iter()
            .filter_map(Json::as_text)
            .map(str::to_owned)
            .collect()
    });
    sandbox
        .lock()
        .users
        .add(text("name"), text("password"), permissions);
    done()
}

/// Body: `{"externalId", "locked"}`. Locks the loan as Fineract's nightly job does. With `"locked": false`, unlocks the
/// loan.
async fn lock_loan(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let Some(json) = object_of(&body) else {
        return refused("a JSON object is required");
    };
    let name = Named::External(
        json.get("externalId")
            .and_then(Json::as_text)
            .unwrap_or_default()
            .to_owned(),
    );
    let mut state = sandbox.lock();
    let Ok(id) = state.books.loan_id(&name) else {
        return refused("no such loan");
    };
    if json.get("locked").is_none_or(Json::is_true) {
        state.books.locked_loans.insert(id);
    } else {
        state.books.locked_loans.remove(&id);
    }
    done()
}

/// Body: `["APPROVE_LOAN", …]`. From now on, a command that needs one of these permissions waits for a checker. The
/// list replaces the previous list.
async fn set_maker_checker(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let Ok(Json::List(names)) = Json::parse(&body) else {
        return refused("a JSON array of permissions is required");
    };
    sandbox.lock().maker_checker = names
        .iter()
        .filter_map(Json::as_text)
        .map(str::to_owned)
        .collect();
    done()
}

/// Body: `{"action", "entity", "key"}`. Sets the record of this command to the state "under processing", as a crash of
/// Fineract would leave it.
async fn strand_command(Handle(sandbox): Handle<Sandbox>, body: String) -> Response<Body> {
    let Some(json) = object_of(&body) else {
        return refused("a JSON object is required");
    };
    let text = |key: &str| json.get(key).and_then(Json::as_text).unwrap_or_default();
    let found = sandbox
        .lock()
        .commands
        .strand(text("action"), text("entity"), text("key"));
    if found {
        done()
    } else {
        refused("no such command")
    }
}

/// `GET /actuator/health`.
pub(super) async fn health() -> Response<Body> {
    Reply::ok(r#"{"status":"UP","groups":["liveness","readiness"]}"#.to_owned()).into_response()
}

/// `GET /actuator/info`.
pub(super) async fn info(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    let release = sandbox.release();
    let git = || object! {"branch": "develop", "commit": object! {"id": "4198b0bcf9a9"}};
    let body = object! {
        "git": (!release.is_1_10_1()).then(git),
        "build": object! {"artifact": "fineract-provider", "version": release.version(), "name": "sandbox"},
    };
    Reply::ok(Json::from(body).compact()).into_response()
}

/// `GET /actuator/prometheus`: the start time of the process, written as Java writes a double (`1.764E9`), and the
/// uptime of the process. Both are in seconds.
pub(super) async fn prometheus(Handle(sandbox): Handle<Sandbox>) -> Response<Body> {
    let started_at = sandbox.lock().started_at;
    let millis = started_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis()
        .to_string();
    let (first, rest) = millis.split_at_checked(1).unwrap_or(("0", "0"));
    let uptime = started_at.elapsed().unwrap_or_default().as_secs_f64();
    let body = format!(
        "# HELP process_start_time_seconds Start time of the process since unix epoch.\n\
         # TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {first}.{rest}E9\n\
         # HELP process_uptime_seconds The uptime of the Java virtual machine\n\
         # TYPE process_uptime_seconds gauge\nprocess_uptime_seconds {uptime:.3}\n"
    );
    Reply {
        content_type: Some("text/plain;version=0.0.4;charset=utf-8"),
        ..Reply::ok(body)
    }
    .into_response()
}

fn object_of(body: &str) -> Option<Object> {
    match Json::parse(body) {
        Ok(Json::Object(object)) => Some(object),
        _ => None,
    }
}

fn done() -> Response<Body> {
    Reply::ok("{}".to_owned()).into_response()
}

fn refused(problem: &str) -> Response<Body> {
    let body = Json::from(object! {"error": problem}).compact();
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, body).into_response()
}
