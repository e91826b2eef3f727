//! A stand-in for Fineract, in memory, that behaves as recorded.
