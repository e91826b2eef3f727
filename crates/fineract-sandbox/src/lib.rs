//! An in-memory stand-in for Fineract that behaves as a real one was recorded: with its order of checks, its
//! idempotency records, its double payments, and its digits. It does not compute realistic schedules. It does not know
//! the gateway.
//!
//! | module | content |
//! | --- | --- |
//! | `wire`, `call`, `auth`, `routes` | from the connection to the operation that a request asks for |
//! | `answer` | one request from its arrival to its answer, with its fault |
//! | `state`, `commands`, `keys`, `operations`, `checkers` | running a command under its key, at once or after a checker's approval |
//! | `books`, `clients`, `loans`, `products`, `setup`, `users` | the business data and its rules |
//! | `params`, `failure`, `json`, `dates`, `reply`, `release` | how Fineract reads requests and writes answers |
//! | `faults`, `ledger`, `admin` | what a real Fineract does not have |

mod admin;
mod answer;
mod auth;
mod books;
mod call;
mod checkers;
mod clients;
mod commands;
mod dates;
mod failure;
mod faults;
mod json;
mod keys;
mod ledger;
mod loans;
mod operations;
mod params;
mod products;
mod release;
mod reply;
mod routes;
mod served;
mod setup;
mod state;
mod users;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use chrono::NaiveDate;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use books::Books;
pub use keys::KeySettings;
pub use release::Release;
pub use served::ServedSandbox;
use state::State;

/// A handle to a sandbox. Clones share its state.
#[derive(Clone, Debug)]
pub struct Sandbox {
    state: Arc<Mutex<State>>,
    books: fn() -> Books,
    keys: KeySettings,
    pause: Duration,
    tasks: TaskTracker,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A tenant that is set up: the products of nine lenders and a closed one, currency, payment type and charge, and
    /// the user `mifos` / `password`, who may do everything.
    pub fn new() -> Self {
        Self::with_books(Books::with_products)
    }

    /// A tenant as a new Fineract has it: without products.
    pub fn unprepared() -> Self {
        Self::with_books(Books::fresh)
    }

    fn with_books(books: fn() -> Books) -> Self {
        let release = Release::default();
        Self {
            state: Arc::new(Mutex::new(State::new(books(), release, None))),
            books,
            keys: KeySettings::default(),
            pause: Duration::from_millis(3),
            tasks: TaskTracker::new(),
        }
    }

    /// How long a request waits for a running command with the same key before the answer is 425. A real Fineract
    /// waits 3.1 s. For release 1.10.1, the sandbox waits a third of this time before it runs a command, so that
    /// another request with the same key can arrive meanwhile.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Fixes the business date. Without this, it is today's date in Asia/Kolkata.
    #[must_use]
    pub fn with_today(self, today: NaiveDate) -> Self {
        let release = self.release();
        self.anew(release, Some(today))
    }

    /// Stands in for this release.
    #[must_use]
    pub fn with_release(self, release: Release) -> Self {
        let today = self.lock().fixed_today();
        self.anew(release, today)
    }

    /// Uses these settings for idempotency keys.
    #[must_use]
    pub fn with_keys(self, keys: KeySettings) -> Self {
        let (release, today) = (self.release(), self.lock().fixed_today());
        Self { keys, ..self }.anew(release, today)
    }

    fn first_day(&self, release: Release, today: Option<NaiveDate>) -> State {
        let mut state = State::new((self.books)(), release, today);
        state.keys = self.keys.clone();
        state
    }

    fn anew(self, release: Release, today: Option<NaiveDate>) -> Self {
        let state = self.first_day(release, today);
        Self {
            state: Arc::new(Mutex::new(state)),
            ..self
        }
    }

    /// All routes: Fineract's API and actuator, and `/sandbox/…`. Faults that cut a connection require
    /// [`Sandbox::serve`].
    pub fn router(&self) -> Router {
        Router::new()
            .nest("/sandbox", admin::routes())
            .route("/fineract-provider/actuator/health", get(admin::health))
            .route("/fineract-provider/actuator/info", get(admin::info))
            .route(
                "/fineract-provider/actuator/prometheus",
                get(admin::prometheus),
            )
            .fallback(answer::answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(self.clone())
    }

    /// Serves until the token is cancelled.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        let service = self
            .router()
            .into_make_service_with_connect_info::<wire::Line>();
        axum::serve(wire::CuttableListener(listener), service)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
    }

    /// Simulates a restart of Fineract with these settings for idempotency keys.
    pub fn restart_with_keys(&self, keys: KeySettings) {
        let mut state = self.lock();
        state.keys = keys;
        state.started_at = SystemTime::now();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The release for which the sandbox stands in.
    fn release(&self) -> Release {
        self.lock().release
    }

    /// Resets books, keys, ledger and faults to the initial state, and changes the release if one is given.
    fn reset(&self, release: Option<Release>) {
        let mut state = self.lock();
        let today = state.fixed_today();
        let release = release.unwrap_or(state.release);
        *state = self.first_day(release, today);
    }
}
