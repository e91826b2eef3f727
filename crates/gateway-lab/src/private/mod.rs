//! What `prove` and `bench` run on: a private Postgres, the sandbox, and gateways as processes of their own.

mod gateway;
mod program;
mod servers;
mod stderr;

pub(super) use self::{
    gateway::{Death, Gateway},
    servers::{API, Servers, free_address},
};
