//! What each answer means, row by row.
