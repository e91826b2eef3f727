//! An in-memory stand-in for Fineract. It gives the answers that were recorded from a real Fineract. Like Fineract, it
//! checks in the same order, records idempotency keys in the same way, pays twice in the same situations, and shows the
//! same number of decimal places. It does not compute realistic repayment schedules. It uses no code of the gateway.
//!
//! | module | content |
//! | --- | --- |
//! | `wire`, `call`, `auth`, `routes` | the connection, the login, and which command or read is requested |
//! | `answer` | processes one request, from its arrival to its answer, and applies a fault |
//! | `state`, `commands`, `keys`, `operations` | run a command under its idempotency key |
//! | `checkers` | the commands that wait for a checker |
//! | `books`, `clients`, `loans`, `products`, `setup`, `users` | the business data and its rules |
//! | `params`, `failure`, `json`, `dates`, `reply`, `release` | how Fineract reads requests and writes answers |
//! | `faults`, `ledger`, `admin` | features that a real Fineract does not have |
//! | `served` | a sandbox on a free port, for tests |

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

/// A handle to a sandbox. All clones of a handle share one state.
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
    /// A sandbox whose tenant is already set up: the tenant has the products of nine lenders, one closed product, the
    /// currencies, the payment type and the charge. The user `mifos` with the password `password` has all permissions.
    pub fn new() -> Self {
        Self::with_books(Books::with_products)
    }

    /// A sandbox whose tenant has no products, like the tenant of a new Fineract.
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

    /// Sets the pause: how long a request waits if a command with the same key is still running. If that command has
    /// not ended after the pause, the answer is 425. A real Fineract waits 3.1 s; the default here is 3 ms. For release
    /// 1.10.1, the sandbox also waits for a third of the pause before it runs a command. During this wait, another
    /// request with the same key can arrive.
    #[must_use]
    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Fixes the business date. By default, the business date is today's date in Asia/Kolkata.
    #[must_use]
    pub fn with_today(self, today: NaiveDate) -> Self {
        let release = self.release();
        self.anew(release, Some(today))
    }

    /// Answers as this release of Fineract does.
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

    /// All routes: Fineract's API and actuator, and `/sandbox/…`. The faults that cut a connection work only with
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

    /// The release of Fineract whose answers the sandbox gives.
    fn release(&self) -> Release {
        self.lock().release
    }

    /// Resets the whole state (books, users, keys, ledger, faults) to its initial values. Changes the release if one is
    /// given. A fixed business date remains.
    fn reset(&self, release: Option<Release>) {
        let mut state = self.lock();
        let today = state.fixed_today();
        let release = release.unwrap_or(state.release);
        *state = self.first_day(release, today);
    }
}
