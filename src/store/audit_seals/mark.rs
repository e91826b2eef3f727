//! A seal as people note it outside of the database.

use std::{fmt, str::FromStr};

/// The number and the hash of a seal, written `12:9f86…`. Whoever has noted one can tell later whether the audit up
/// to it is still the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealMark {
    /// The number of the seal.
    pub number: i64,
    /// The hash, in 64 hexadecimal digits in lower case.
    pub hash: String,
}

/// A text is not the mark of a seal.
#[derive(Debug, thiserror::Error)]
#[error("must be the number of a seal, a colon, and the 64 hexadecimal digits of its hash")]
pub struct NoSealMark;

impl fmt::Display for SealMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl FromStr for SealMark {
    type Err = NoSealMark;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, hash) = text.trim().split_once(':').ok_or(NoSealMark)?;
        let number = number.parse().or(Err(NoSealMark))?;
        if hash.len() != 64 || !hash.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoSealMark);
        }
        let hash = hash.to_ascii_lowercase();
        Ok(Self { number, hash })
    }
}
