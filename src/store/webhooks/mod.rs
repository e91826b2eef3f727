//! Webhooks: the endpoints of callers, and what is delivered to them
//! (`docs/adr/0043-webhooks-follow-the-feed.md`).

mod deliveries;
mod due;
mod endpoints;
mod record;
mod run;

pub use self::{
    deliveries::{Delivery, DeliveryFilter, DeliveryState},
    due::{DueDelivery, What},
    endpoints::{Endpoint, EndpointSettings},
    record::Try,
    run::RunningEndpoint,
};
