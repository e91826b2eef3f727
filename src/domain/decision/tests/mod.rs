//! What each answer means, row by row; `docs/DECISIONS.md` is written from these tables.

mod attempts;
mod cases;
mod document;
mod model;
mod recorded;
