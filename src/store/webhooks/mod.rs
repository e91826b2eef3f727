//! Webhooks: the endpoints of callers, and what is delivered to them
//! (`docs/adr/0043-webhooks-follow-the-feed.md`).

mod cleanup;
mod deliveries;
mod due;
mod endpoints;
mod health;
mod record;
mod resend;
mod run;
mod secrets;

pub use self::{
    deliveries::{Delivery, DeliveryFilter, DeliveryState},
    due::{DueDelivery, What},
    endpoints::{Endpoint, EndpointSettings},
    health::{EndpointHealth, HealthOf},
    record::Try,
    run::RunningEndpoint,
};
