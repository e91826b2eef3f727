//! The sandbox answers as a real Fineract was recorded to, and keeps its rules where nothing was recorded.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are not #[test] functions themselves"
)]

mod replay;
mod sandbox;
