//! Every integration test, in one binary.

mod recorded;
mod replay;
