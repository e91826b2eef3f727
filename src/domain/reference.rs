//! Payment references (UTRs): when two references are equal, and which characters are invisible.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{Dash, DefaultIgnorableCodePoint, GeneralCategory, WhiteSpace},
};

/// The form in which two references are compared: compatible characters are unified (NFKC), case is folded, and
/// blanks, dashes and invisible characters are removed. If only digits remain, leading zeros are removed as well,
/// because spreadsheets drop leading zeros. Fineract does not compare references in this way: a real Fineract accepted
/// `HDFC1` and `hdfc1` as two repayments.
pub fn comparable_reference(reference: &str) -> String {
    let mut comparable = reference.to_owned();
    // If a character is removed, its neighbours may compose to a new character. This new character may be a blank. So
    // repeat until nothing changes.
    loop {
        let next = fold(&comparable);
        if next == comparable {
            return without_zeros(next);
        }
        comparable = next;
    }
}

/// Whether a reference in its comparable form is a number, so that others may be written with more zeros at the beginning.
/// The form that the database knows (`plain_reference`) keeps these zeros.
pub fn is_number(comparable: &str) -> bool {
    !comparable.is_empty() && comparable.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_zeros(text: String) -> String {
    if is_number(&text) && text.starts_with('0') {
        let digits = text.trim_start_matches('0');
        // A reference that consists only of zeros keeps one zero, so that it is not empty.
        return if digits.is_empty() { "0" } else { digits }.to_owned();
    }
    text
}

fn fold(text: &str) -> String {
    let normalizer = ComposingNormalizer::new_nfkc();
    let folded = CaseMapper::new()
        .fold_string(&normalizer.normalize(text))
        .into_owned();
    let is_left_out = |character: char| {
        CodePointSetData::new::<WhiteSpace>().contains(character)
            || CodePointSetData::new::<Dash>().contains(character)
            || is_invisible(character)
    };
    folded
        .chars()
        .filter(|character| !is_left_out(*character))
        .collect()
}

/// Whether a character cannot be seen: a zero-width blank, a byte order mark, a direction mark, a variation selector,
/// a line separator. Two texts that differ only in such a character look the same.
pub fn is_invisible(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || matches!(
            category,
            GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn references_are_the_same_however_they_are_typed() {
        for (reference, comparable) in [
            ("HDFC1", "hdfc1"),
            ("hdfc1", "hdfc1"),
            ("HDFC-0012 34", "hdfc001234"),
            ("ＨＤＦＣ１", "hdfc1"),
            ("HDFC\u{a0}1\u{3000}2", "hdfc12"),
            (
                "a\u{2010}b\u{2011}c\u{2013}d\u{2014}e\u{2212}f\u{ff0d}g\u{fe63}h",
                "abcdefgh",
            ),
            ("a\u{200b}b\u{feff}c\u{ad}d\u{202e}e\u{fe0f}", "abcde"),
            ("Stra\u{df}e", "strasse"),
            ("STRA\u{1e9e}E", "strasse"),
            ("\u{212a}1", "k1"),
            ("\u{130}", "i\u{307}"),
            ("ΟΣ", "οσ"),
            ("ος", "οσ"),
            ("e\u{301}", "\u{e9}"),
            ("e\u{200d}\u{301}", "\u{e9}"),
            ("①", "1"),
            ("ऋण-१", "ऋण१"),
            ("A_1/2.3", "a_1/2.3"),
            ("00123-456", "123456"),
            ("０１２", "12"),
            ("00", "0"),
            ("0A1", "0a1"),
            ("0.1", "0.1"),
            (" -\u{2014}\u{200b}", ""),
        ] {
            assert_eq!(comparable_reference(reference), comparable, "{reference:?}");
        }
    }

    #[test]
    fn what_leaves_no_mark_is_invisible() {
        for character in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0001}',
            '\u{e0100}',
        ] {
            assert!(is_invisible(character), "{character:?}");
        }
        for character in [
            'a', '-', ' ', 'é', 'अ', '\u{93c}', '\u{301}', '漢', '😀', '\u{a0}',
        ] {
            assert!(!is_invisible(character), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn a_comparable_form_is_its_own(reference: String) {
            let comparable = comparable_reference(&reference);
            prop_assert_eq!(comparable_reference(&comparable), comparable);
        }
    }
}
