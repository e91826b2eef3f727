//! Whose books Fineract's numbers are of: asked before a command is sent again, and before anything is sent.

mod another_fineract;
mod bed;
mod conflicts;
mod numbers;
mod recovered;
mod renamed;
mod restored;
