//! The types that all other modules share (ids, lanes, requests, answers), and the decision what an answer means. No
//! I/O.

mod amount;
mod answer;
mod attempt;
mod checked;
mod credential;
mod day;
pub mod decision;
mod erased;
mod error_codes;
mod facts;
mod fineract_command;
mod fineract_health;
mod id;
mod key_probe;
mod lane;
mod masked;
mod operation_type;
mod outcome;
mod owner;
mod raw_body;
mod reference;
mod referent;
mod request;
mod resolution;
mod retry_eligible;
mod state;
mod trace_parent;

pub use amount::Amount;
pub use answer::Answer;
pub use attempt::{Attempt, Failure, Reply};
pub use checked::{Checked, Direction, Reads};
pub use credential::{CredentialKind, CredentialSecret, Scope, Scopes};
pub use day::Day;
pub use erased::erased;
pub(crate) use facts::total;
pub use facts::{
    Choice, Client, ClientTimeline, Currency, Facts, Loan, LoanCharge, LoanSummary, LoanTimeline,
    Named, Note, PaymentDetail, Product, ProductCharge, Tranche, Transaction,
};
pub use fineract_command::FineractCommand;
pub use fineract_health::FineractHealth;
pub use id::{InvalidTrackingId, OperationId, TrackingId};
pub use key_probe::{ProbeSubject, ProbeVerdict};
pub use lane::{Access, Lane, LaneAccess};
pub use masked::masked;
pub use operation_type::OperationType;
pub use outcome::{End, Outcome};
pub use owner::Owner;
pub use raw_body::untouched;
pub use reference::{comparable_reference, is_invisible, is_number};
pub use referent::{Referent, ReferentKind};
pub use request::{IdempotencyKey, Method, Request, ResourceId};
pub use resolution::Resolution;
pub use retry_eligible::RetryEligible;
pub use state::State;
pub use trace_parent::{InvalidTraceParent, TRACEPARENT, TraceParent};
