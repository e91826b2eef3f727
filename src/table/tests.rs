use super::*;

/// The row's number, its line, and its texts or the code of its problem.
fn read(text: &str) -> Vec<(i32, usize, String)> {
    let mut table = Table::open(text.as_bytes(), &["a"], 100).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = table.next_row() {
        let said = match row.cells {
            Ok(cells) => {
                let filled = cells.filled().map(|(name, text)| format!("{name}={text}"));
                filled.collect::<Vec<_>>().join(" ")
            }
            Err(fault) => fault.code.to_owned(),
        };
        rows.push((row.number, row.line, said));
    }
    rows
}

#[test]
fn what_a_spreadsheet_leaves_empty_is_nothing() {
    let table =
        "\r\n,,,\r\na,b,,\r\n,,,\r\n1,,,\r\n\r\n , ,,\r\n2,\"x\ny\",,\r\n3,4,,,,\r\n,,,\r\n\r\n";
    let expected = [(1, 5, "a=1"), (2, 8, "a=2 b=x\ny"), (3, 10, "a=3 b=4")];
    assert_eq!(
        read(table),
        expected.map(|(number, line, said)| (number, line, said.to_owned()))
    );
}

#[test]
fn a_row_that_is_not_the_header_s_is_told() {
    let table = "a, ,b\n1,,2\n1,2,3\n1,,2,3\n1,\n5,,\"6\"\n7,,\"8\n9,,1\n";
    let expected = [
        (1, 2, "a=1 b=2"),
        (2, 3, "nameless_column"),
        (3, 4, "wrong_length"),
        (4, 5, "wrong_length"),
        (5, 6, "a=5 b=6"),
        (6, 7, "broken_quotes"),
    ];
    assert_eq!(
        read(table),
        expected.map(|(number, line, said)| (number, line, said.to_owned()))
    );
}

#[test]
fn a_row_that_is_too_long_is_told_and_the_next_one_is_read() {
    let long = "x".repeat(200);
    let table = format!("a,b\n1,2\n{long},{long}\n3,4\n");
    let expected = [(1, 2, "a=1 b=2"), (2, 3, "too_large"), (3, 4, "a=3 b=4")];
    assert_eq!(
        read(&table),
        expected.map(|(number, line, said)| (number, line, said.to_owned()))
    );
    let (line, faults) = Table::open(long.as_bytes(), &["a"], 100).unwrap_err();
    assert_eq!((line, faults[0].code), (1, "too_large"));
}

#[test]
fn a_header_row_that_is_none_says_why() {
    for (text, line, expected) in [
        ("", 1, vec![(Some("a"), "required")]),
        (
            "\n\nb,b\n",
            3,
            vec![(Some("b"), "repeated_field"), (Some("a"), "required")],
        ),
        ("a;b\n1;2\n", 1, vec![(None, "wrong_separator")]),
        ("a\tb\n", 1, vec![(None, "wrong_separator")]),
        ("a|b\n", 1, vec![(None, "wrong_separator")]),
        ("sep=,\na,b\n", 1, vec![(None, "wrong_separator")]),
        ("\nSEP=;\na;b\n", 2, vec![(None, "wrong_separator")]),
        (
            "\u{ef}\u{bb}\u{bf}a,b\n",
            1,
            vec![(None, "wrong_character_set")],
        ),
        ("a,\"b\n", 1, vec![(None, "broken_quotes")]),
    ] {
        let (found, faults) = Table::open(text.as_bytes(), &["a"], 100).unwrap_err();
        let faults: Vec<_> = faults
            .iter()
            .map(|fault| (fault.column.as_deref(), fault.code))
            .collect();
        assert_eq!((found, faults), (line, expected), "{text:?}");
    }
    let utf16: Vec<u8> = "a,b\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [b"\xff\xfe".as_slice(), &utf16].concat();
    let (_, faults) = Table::open(utf16.as_slice(), &["a"], 100).unwrap_err();
    assert_eq!(faults.first().map(|fault| fault.code), Some("broken_csv"));
}
