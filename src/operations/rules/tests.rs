use super::*;
use crate::operations::testing::{deployment, raw};

/// The accepted value, or the code of the problem.
fn outcome<T: ToString>(json: &str, rule: &Rule<impl Fn(&RawValue) -> Checked<T>>) -> String {
    match (rule.check)(&raw(json)) {
        Ok(value) => value.to_string(),
        Err(InvalidValue { code, .. }) => code.to_owned(),
    }
}

#[test]
fn decimals_are_counted_as_they_are_written_out() {
    for (json, as_money, as_rate) in [
        ("100000.10", "100000.10", "100000.10"),
        ("1e5", "100000", "100000"),
        ("1.5E+1", "15", "15"),
        ("0.01", "0.01", "0.01"),
        ("0", "zero", "0"),
        ("0.00", "zero", "0.00"),
        ("0.001", "too_many_decimals", "0.001"),
        ("100.000", "100.00", "100.000"),
        ("100000.000000", "100000.00", "100000.000000"),
        ("100000.100000", "100000.10", "100000.100000"),
        (
            "12345678901234567.890000",
            "12345678901234567.89",
            "too_many_digits",
        ),
        ("1.00000000000000000000000000000000000000", "1", "1"),
        ("0.000000000", "zero", "0.000000"),
        ("0e400", "zero", "0"),
        ("8.3333330", "too_many_decimals", "8.333333"),
        ("1e-3", "too_many_decimals", "0.001"),
        ("8.333333", "too_many_decimals", "8.333333"),
        ("8.3333333", "too_many_decimals", "too_many_decimals"),
        ("-1", "negative", "negative"),
        ("-0", "negative", "negative"),
        (
            "12345678901234567.89",
            "12345678901234567.89",
            "12345678901234567.89",
        ),
        (
            "123456789012345678.90",
            "too_many_digits",
            "too_many_digits",
        ),
        ("1e19", "too_many_digits", "too_many_digits"),
        ("1e400", "too_many_digits", "too_many_digits"),
        ("1e-400", "too_many_digits", "too_many_digits"),
        ("\"100\"", "wrong_type", "wrong_type"),
        ("true", "wrong_type", "wrong_type"),
        ("[1]", "wrong_type", "wrong_type"),
    ] {
        assert_eq!(outcome(json, &money()), as_money, "{json}");
        assert_eq!(outcome(json, &rate()), as_rate, "{json}");
    }
}

#[test]
fn counts_are_whole_and_fit() {
    for (json, expected) in [
        ("1", "1"),
        ("2147483647", "2147483647"),
        ("2147483648", "out_of_range"),
        ("99999999999999999999", "out_of_range"),
        ("0", "out_of_range"),
        ("-1", "out_of_range"),
        ("12.0", "12"),
        ("1.2e1", "12"),
        ("1200e-2", "12"),
        ("12.00000000000000000000000000000000000000", "12"),
        ("12.5", "wrong_type"),
        ("0.0", "out_of_range"),
        ("-1.0", "out_of_range"),
        ("1e400", "out_of_range"),
        ("true", "wrong_type"),
        ("\"12\"", "wrong_type"),
    ] {
        assert_eq!(outcome(json, &count()), expected, "{json}");
    }
}

#[test]
fn external_ids_have_a_form_that_fineract_finds_by_path() {
    for (id, expected) in [
        ("LOAN-1", "LOAN-1"),
        ("a b+&?#=:é अ", "a b+&?#=:é अ"),
        ("...", "..."),
        (".", "forbidden_character"),
        ("..", "forbidden_character"),
        ("a%b", "forbidden_character"),
        ("a/b", "forbidden_character"),
        (r"a\\b", "forbidden_character"),
        ("a;b", "forbidden_character"),
        (r"a\u0000b", "forbidden_character"),
        (r"a\nb", "forbidden_character"),
        (" a", "outer_blank"),
        ("a ", "outer_blank"),
        ("", "blank"),
        (" ", "blank"),
    ] {
        assert_eq!(
            outcome(&format!("\"{id}\""), &external_id()),
            expected,
            "{id}"
        );
    }
    assert_eq!(outcome("7", &external_id()), "wrong_type");
}

#[test]
fn texts_are_at_most_as_long_as_fineract_accepts() {
    let text = |length| format!("\"{}\"", "x".repeat(length));
    let long = "x".repeat(50);
    assert_eq!(outcome(&text(50), &name()), long);
    assert_eq!(outcome(&text(50), &mobile_no()), long);
    assert_eq!(outcome(&text(50), &reference()), long);
    for (length, rule) in [
        (51, (|text| outcome(text, &name())) as fn(&str) -> String),
        (51, |text| outcome(text, &mobile_no())),
        (51, |text| outcome(text, &reference())),
        (101, |text| outcome(text, &external_id())),
        (151, |text| outcome(text, &email_address())),
        (1001, |text| outcome(text, &note())),
    ] {
        assert_eq!(rule(&text(length)), "too_long", "{length}");
        assert_eq!(rule(&text(length - 1)).len(), length - 1);
    }
    // Fineract counts UTF-16 units, as Java does.
    assert_eq!(
        outcome(&format!("\"{}\"", "😀".repeat(26)), &name()),
        "too_long"
    );
}

#[test]
fn days_exist_and_are_in_range() {
    for (day_text, expected) in [
        ("11 January 2026", "11 January 2026"),
        ("31 December 2100", "31 December 2100"),
        ("01 January 2101", "out_of_range"),
        ("31 December 1899", "out_of_range"),
        ("30 February 2026", "invalid_date"),
    ] {
        assert_eq!(outcome(&format!("\"{day_text}\""), &day()), expected);
    }
    assert_eq!(outcome("[2026,1,11]", &day()), "invalid_date");
}

#[test]
fn units_and_lenders_are_the_documented_words() {
    let unit = |json: &str| {
        let unit = (term_unit().check)(&raw(json));
        unit.map_or_else(
            |problem| problem.code.to_owned(),
            |unit| unit.id.to_string(),
        )
    };
    assert_eq!(
        ["\"days\"", "\"weeks\"", "\"months\"", "\"years\""].map(unit),
        ["0", "1", "2", "3"]
    );
    assert_eq!(unit("\"Months\""), "unknown_value");
    assert_eq!(unit("2"), "unknown_value");
    let deployment = deployment();
    let lender = |json: &str| (lender(&deployment).check)(&raw(json));
    assert_eq!(lender("\"DMI\""), Ok("DMI".to_owned()));
    let message = lender("\"dmi\"").unwrap_err().message;
    assert!(message.contains("LIQUILOANS, UGRO, DMI"), "{message}");
}
