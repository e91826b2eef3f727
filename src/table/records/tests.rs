//! Records that are right, broken, and too long.

use std::io::BufReader;

use proptest::{collection::vec, prelude::*};

use super::*;

const LONGEST: usize = 30;

/// Reads all records up to the first broken one, in small pieces, as an upload arrives.
fn read(text: &[u8], piece: usize) -> Vec<Record> {
    read_up_to(usize::MAX, text, piece)
}

fn read_up_to(longest: usize, text: &[u8], piece: usize) -> Vec<Record> {
    let mut records = Records::new(BufReader::with_capacity(piece, text), longest);
    let mut all = Vec::new();
    while let Some(record) = records.next() {
        let is_broken = record.is_broken();
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

#[test]
fn a_record_that_is_too_long_is_left_out_and_its_end_is_found() {
    let long = "x".repeat(LONGEST);
    let fits = &long[1..];
    let formula = "=\"7\"";
    for record in [
        long.clone(),
        format!("\"{long}\r\n\"\"\",b"),
        format!("{long},{formula},{formula}"),
        ",".repeat(LONGEST),
    ] {
        let text = format!("{fits}\n{record}\r\na\n");
        let found = read_up_to(LONGEST, text.as_bytes(), 3);
        let cells: Vec<_> = found.into_iter().map(|record| record.cells).collect();
        let cell = |text: &str| Ok(vec![text.as_bytes().to_vec()]);
        let expected = [cell(fits), Err(Broken::TooLong), cell("a")];
        assert_eq!(cells, expected, "{record}");
    }
    let broken = read_up_to(LONGEST, format!("{long},\"a\"b\n").as_bytes(), 3);
    let cells = broken.last().map(|record| &record.cells);
    assert_eq!(cells, Some(&Err(Broken::TextAfterQuote)));
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
