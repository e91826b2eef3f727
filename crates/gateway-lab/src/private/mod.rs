//! The servers and processes that `prove` and `bench` use: a private Postgres, the sandbox, and gateways.

mod gateway;
mod program;
mod serve;
mod servers;
mod stderr;

pub(super) use self::{
    gateway::{Death, Gateway},
    program::{PRODUCT, program},
    serve::serve,
    servers::{API, Servers, free_address},
};
