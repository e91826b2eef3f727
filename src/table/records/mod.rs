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

/// Why a record cannot be read.
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
    /// The record is longer than records may be.
    #[error("is too long")]
    TooLong,
}

/// Reads records one by one.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    /// How many bytes a record may have, with the end of its line.
    longest: usize,
    /// The number of lines that have ended.
    lines: usize,
}

/// One record: its cells, and the line in which it began.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) cells: Result<Vec<Vec<u8>>, Broken>,
}

impl Record {
    /// Whether it is uncertain where the record ends, so that everything after it is uncertain too.
    pub(super) fn is_broken(&self) -> bool {
        let why = self.cells.as_ref().err();
        why.is_some_and(|why| *why != Broken::TooLong)
    }
}

impl<R: BufRead> Records<R> {
    /// Reads records of at most `longest` bytes. Of a longer one only the end is looked for.
    pub(super) fn new(input: R, longest: usize) -> Self {
        Self {
            input,
            longest,
            lines: 0,
        }
    }

    /// The next record. A blank line is a record with one empty cell.
    pub(super) fn next(&mut self) -> Option<Record> {
        let line = self.lines + 1;
        let mut parser = Parser::new(self.longest);
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
            cells: ended.and_then(|()| parser.into_cells()),
        })
    }
}

#[derive(Debug)]
struct Parser {
    state: State,
    /// How many more bytes the record may have. `None`: it has had too many, and its cells are no longer kept.
    left: Option<usize>,
    cell: Vec<u8>,
    cells: Vec<Vec<u8>>,
}

impl Parser {
    fn new(longest: usize) -> Self {
        Self {
            state: State::Start,
            left: Some(longest),
            cell: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// Processes a byte and returns whether the record has ended with it.
    fn take(&mut self, byte: u8) -> Result<bool, Broken> {
        self.left = self.left.and_then(|left| left.checked_sub(1));
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
                self.end_cell();
                State::Start
            }
            (State::Start | State::Bare | State::Closed | State::FormulaEnd, b'\r' | b'\n') => {
                self.end_cell();
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
        // Two bytes are enough to see whether the cell is `=`.
        if self.left.is_some() || self.cell.len() < 2 {
            self.cell.push(byte);
        }
        state
    }

    fn end_cell(&mut self) {
        let cell = std::mem::take(&mut self.cell);
        if self.left.is_some() {
            self.cells.push(cell);
        } else {
            self.cells = Vec::new();
        }
    }

    fn into_cells(self) -> Result<Vec<Vec<u8>>, Broken> {
        self.left.map(|_| self.cells).ok_or(Broken::TooLong)
    }

    /// Processes the end of the file.
    fn finish(&mut self) -> Result<(), Broken> {
        match self.state {
            State::Start | State::Bare | State::Closed | State::FormulaEnd => {
                self.end_cell();
                Ok(())
            }
            State::Quoted => Err(Broken::Unclosed),
            State::Return => Err(Broken::BareReturn),
            State::Formula => Err(Broken::QuoteInside),
        }
    }
}

#[cfg(test)]
mod tests;
