//! The place of a span in a trace, as programs tell it to each other (W3C Trace Context, the header `traceparent`).

use std::{fmt, str::FromStr};

/// The name of the header.
pub const TRACEPARENT: &str = "traceparent";

/// A span of a trace: what is done because of it belongs to the same trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace_id: u128,
    /// The span; never zero.
    pub span_id: u64,
    /// Whether spans of this trace are recorded.
    pub is_sampled: bool,
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(
            f,
            "00-{:032x}-{:016x}-{flags:02x}",
            self.trace_id, self.span_id
        )
    }
}

/// The text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent has the form 00-<32 hexadecimal digits>-<16>-<2>, in lower case")]
pub struct InvalidTraceParent;

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Parses a header. A later version of the specification may add fields at the end, which are ignored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields = text.split('-');
        let mut next = |digits| hexadecimal(fields.next()?, digits);
        let read = (|| Some((next(2)?, next(32)?, next(16)?, next(2)?)))();
        let (version, trace_id, span_id, flags) = read.ok_or(InvalidTraceParent)?;
        let is_longer = fields.next().is_some();
        if version == 0xff || (version == 0 && is_longer) || trace_id == 0 || span_id == 0 {
            return Err(InvalidTraceParent);
        }
        Ok(Self {
            trace_id,
            span_id: u64::try_from(span_id).or(Err(InvalidTraceParent))?,
            is_sampled: flags & 1 == 1,
        })
    }
}

/// The number that exactly this many hexadecimal digits mean.
fn hexadecimal(field: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_valid = field.len() == digits && field.bytes().all(is_digit);
    is_valid.then(|| u128::from_str_radix(field, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_header_is_written_as_it_was_read() {
        for flags in ["00", "01"] {
            let header = format!("00-{TRACE}-{SPAN}-{flags}");
            let read: TraceParent = header.parse().unwrap();
            assert_eq!(read.to_string(), header);
            assert_eq!(read.is_sampled, flags == "01");
        }
    }

    #[test]
    fn other_flags_and_later_versions_are_ignored() {
        for header in [
            format!("00-{TRACE}-{SPAN}-03"),
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-ff-what-comes-later"),
        ] {
            let read: TraceParent = header.parse().unwrap();
            assert_eq!(
                read.to_string(),
                format!("00-{TRACE}-{SPAN}-01"),
                "{header}"
            );
        }
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        for header in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{no_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{no_span}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!(" 00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(
                header.parse::<TraceParent>(),
                Err(InvalidTraceParent),
                "{header}"
            );
        }
    }
}
