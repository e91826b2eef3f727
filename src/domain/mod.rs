//! The vocabulary: ids, states, outcomes, lanes, retry policy. No I/O.
