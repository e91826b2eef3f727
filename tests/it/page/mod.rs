//! The operators' page at `/ops`: how operators sign in, and what they see and do in a real browser.

mod accessibility;
mod acting;
mod browser;
mod docs;
mod in_fineract;
mod keys;
mod shown;
mod sign_in;
mod stage;
mod visitor;
mod walk;
mod webhooks;
