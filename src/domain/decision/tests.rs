//! What each answer means, row by row (`CONTRACT.md` section 18).
