//! Parses CSV records strictly by RFC 4180. It never guesses where a quoted cell ends, because after a wrong guess,
//! several rows would be read as one.

use std::io::BufRead;

/// The position of the parser within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell.
    Start,
    /// In a cell that does not begin with a quote.
    Bare,
    /// In a cell that begins with `="`. People write such cells to mark texts for spreadsheets. RFC 4180 does not
    /// define such cells, but the end of such a cell is certain.
    Formula,
    /// After the closing quote of a cell that begins with `="`.
    FormulaEnd,
    /// In a cell that begins with a quote.
    Quoted,
    /// After a quote in a cell that begins with a quote. This quote either closes the cell or is the first of two
    /// quotes that stand for one quote.
    Closed,
    /// After a carriage return.
    Return,
}

/// A violation of the format. It is then uncertain where the record ends, and everything after the record is uncertain
/// too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// A quote occurred inside a cell that does not begin with a quote, or a cell that begins with `="` does not end
    /// correctly.
    #[error("has a quote inside a cell that does not begin with one")]
    QuoteInside,
    /// Text occurred after the quote that ends a cell.
    #[error("has text after the quote that ends a cell")]
    TextAfterQuote,
    /// The file ended within a quoted cell.
    #[error("has a quote that is never closed")]
    Unclosed,
    /// A carriage return occurred without a line feed; a line ends with CR LF, or with LF.
    #[error("has a carriage return without a line feed")]
    BareReturn,
}

/// Reads records one by one.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    /// The number of lines that have ended.
    lines: usize,
}

/// One record: its cells, and the line in which it began.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) cells: Result<Vec<Vec<u8>>, Broken>,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, lines: 0 }
    }

    /// The next record. A blank line is a record with one empty cell.
    pub(super) fn next(&mut self) -> Option<Record> {
        let line = self.lines + 1;
        let mut parser = Parser::default();
        let mut is_empty = true;
        let ended = loop {
            // An error of the input ends the records here. The code that provides the input reports the error.
            let chunk = self.input.fill_buf().unwrap_or_default();
            if chunk.is_empty() {
                break parser.finish();
            }
            is_empty = false;
            let (mut used, mut ended) = (0, Ok(false));
            for byte in chunk {
                used += 1;
                self.lines += usize::from(*byte == b'\n');
                ended = parser.take(*byte);
                if ended != Ok(false) {
                    break;
                }
            }
            self.input.consume(used);
            match ended {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(broken) => break Err(broken),
            }
        };
        (!is_empty).then(|| Record {
            line,
            cells: ended.map(|()| parser.cells),
        })
    }
}

#[derive(Debug)]
struct Parser {
    state: State,
    cell: Vec<u8>,
    cells: Vec<Vec<u8>>,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            state: State::Start,
            cell: Vec::new(),
            cells: Vec::new(),
        }
    }
}

impl Parser {
    /// Processes a byte and returns whether the record has ended with it.
    fn take(&mut self, byte: u8) -> Result<bool, Broken> {
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::Closed,
            (State::Return, b'\n') => return Ok(true),
            (State::Return, _) => return Err(Broken::BareReturn),
            (State::Start, b'"') => State::Quoted,
            (State::Closed, b'"') => self.push(byte, State::Quoted),
            (State::Bare, b'"') if self.cell == b"=" => self.push(byte, State::Formula),
            (State::Formula, b'"') => self.push(byte, State::FormulaEnd),
            (State::Bare, b'"') | (State::Formula, b',' | b'\r' | b'\n') => {
                return Err(Broken::QuoteInside);
            }
            (State::Quoted | State::Formula, _) => self.push(byte, self.state),
            (State::Start | State::Bare | State::Closed | State::FormulaEnd, b',') => {
                self.cells.push(std::mem::take(&mut self.cell));
                State::Start
            }
            (State::Start | State::Bare | State::Closed | State::FormulaEnd, b'\r' | b'\n') => {
                self.cells.push(std::mem::take(&mut self.cell));
                if byte == b'\n' {
                    return Ok(true);
                }
                State::Return
            }
            (State::Closed, _) => return Err(Broken::TextAfterQuote),
            (State::FormulaEnd, _) => return Err(Broken::QuoteInside),
            (State::Start | State::Bare, _) => self.push(byte, State::Bare),
        };
        Ok(false)
    }

    fn push(&mut self, byte: u8, state: State) -> State {
        self.cell.push(byte);
        state
    }

    /// Processes the end of the file.
    fn finish(&mut self) -> Result<(), Broken> {
        match self.state {
            State::Start | State::Bare | State::Closed | State::FormulaEnd => {
                self.cells.push(std::mem::take(&mut self.cell));
                Ok(())
            }
            State::Quoted => Err(Broken::Unclosed),
            State::Return => Err(Broken::BareReturn),
            State::Formula => Err(Broken::QuoteInside),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Reads all records up to the first broken one, in small pieces, as an upload arrives.
    fn read(text: &[u8], piece: usize) -> Vec<Record> {
        let mut records = Records::new(BufReader::with_capacity(piece, text));
        let mut all = Vec::new();
        while let Some(record) = records.next() {
            let is_broken = record.cells.is_err();
            all.push(record);
            if is_broken {
                break;
            }
        }
        all
    }

    #[test]
    fn what_breaks_the_rules_is_told_with_the_line_where_its_row_began() {
        for (text, line, broken) in [
            ("a,\"2nd branch\nb,c\nd,e\n", 1, Broken::Unclosed),
            ("a\nb,\"2nd\nc,\"x\"\n", 2, Broken::TextAfterQuote),
            ("a\n\"x\ny\",b\n\"c\"d\n", 4, Broken::TextAfterQuote),
            ("a\nb \"c\"\n", 2, Broken::QuoteInside),
            ("a,5\" pipe\n", 1, Broken::QuoteInside),
            ("a, \"b\"\n", 1, Broken::QuoteInside),
            ("=\"a,b\"\n", 1, Broken::QuoteInside),
            ("=\"a\n", 1, Broken::QuoteInside),
            ("=\"a", 1, Broken::QuoteInside),
            ("=\"a\"b\n", 1, Broken::QuoteInside),
            ("\"", 1, Broken::Unclosed),
            ("a\rb\n", 1, Broken::BareReturn),
            ("\"a\"\rb\n", 1, Broken::BareReturn),
            ("a\n\nb\r", 3, Broken::BareReturn),
        ] {
            let found = read(text.as_bytes(), 2).pop();
            let expected = Record {
                line,
                cells: Err(broken),
            };
            assert_eq!(found, Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_record_is_its_cells() {
        let text = "\r\na,\"b\"\"\r\nc\",\n\"\",=\"007\",=\r\n,";
        let found: Vec<_> = read(text.as_bytes(), 3)
            .into_iter()
            .map(|record| {
                let cells = record.cells.unwrap().into_iter();
                let texts: Vec<_> = cells.map(|cell| String::from_utf8(cell).unwrap()).collect();
                (record.line, texts)
            })
            .collect();
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                (1, texts(&[""])),
                (2, texts(&["a", "b\"\r\nc", ""])),
                (4, texts(&["", "=\"007\"", "="])),
                (5, texts(&["", ""])),
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in vec(vec("[a\",\r\n =']{0,6}", 2..4), 0..6), piece in 1..9_usize) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let written = writer.into_inner().unwrap();
            let found: Vec<_> = read(&written, piece).into_iter().map(|record| record.cells.unwrap()).collect();
            let expected: Vec<Vec<Vec<u8>>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.as_bytes().to_vec()).collect())
                .collect();
            prop_assert_eq!(found, expected);
        }

        /// If the strict parser accepts a text, a lenient parser reads the same cells from it. No line is lost.
        #[test]
        fn what_is_taken_is_read_alike_by_others(text in "[a\",\r\n=]{0,24}", piece in 1..9_usize) {
            let records = read(text.as_bytes(), piece);
            let is_broken = records.last().is_some_and(|record| record.cells.is_err());
            if is_broken || text.contains("=\"") {
                return Ok(());
            }
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .has_headers(false)
                .from_reader(text.as_bytes());
            let theirs: Vec<Vec<Vec<u8>>> = reader
                .byte_records()
                .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                .collect();
            // The csv crate skips blank lines.
            let ours: Vec<_> = records
                .into_iter()
                .map(|record| record.cells.unwrap())
                .filter(|cells| cells.len() > 1 || cells.iter().any(|cell| !cell.is_empty()))
                .collect();
            let theirs: Vec<_> = theirs
                .into_iter()
                .filter(|cells| cells.len() > 1 || cells.iter().any(|cell| !cell.is_empty()))
                .collect();
            prop_assert_eq!(ours, theirs);
        }
    }
}
