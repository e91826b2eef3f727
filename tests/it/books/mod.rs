//! The gateway checks to which books the numbers of Fineract belong: before it sends a command again, and before it
//! sends anything.

mod another_fineract;
mod bed;
mod conflicts;
mod numbers;
mod recovered;
mod renamed;
mod restored;
