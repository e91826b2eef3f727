//! Sends webhooks: signed messages to the URLs that callers have chosen, by the Standard Webhooks specification 1.0.0.
//!
//! [`http::webhooks`](crate::http) decides what is sent and when, [`store`](crate::store) keeps the endpoints and the
//! deliveries, and this module sends one message once.

mod guard;
mod send;
mod signature;

pub use self::{
    guard::{Guard, RefusedUrl, have_same_origin},
    send::{Message, Receipt, Receiver, Sender, TIMEOUT},
    signature::Secret,
};
