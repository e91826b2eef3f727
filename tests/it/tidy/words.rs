//! Words that are no longer used (`docs/GLOSSARY.md` has the words that are used). They are exact identifiers and
//! phrases, so other uses of a word in SQL or English are still possible.

use std::path::Path;

use super::{
    assert_none,
    source::{files_under, read_lossy, root},
};

/// Each word that is no longer used, with its replacement.
const GONE: &[(&str, &str)] = &[
    ("fells", "fails_dependents"),
    ("falls with", "fails with"),
    ("fall with it", "fail with it"),
    ("rests on", "depends on"),
    ("why_since", "reason_since"),
    ("why_counts", "reason_counts"),
    ("troubled", "retrying"),
    ("ungranted", "blocked_by"),
    ("foreseen", "effect_preexisted"),
    ("settlement", "completion"),
    ("settles", "completes"),
    ("settled", "completed"),
    ("departures", "lane releases"),
    ("held_by_lender", "leased_by_lender"),
    ("announce", "notify"),
    ("PROVE_ORDER", "PROVE_INJECTION"),
    ("havoc", "chaos"),
];

/// Folders in which a word has another meaning.
const EXCEPT: &[(&str, &str)] = &[
    // Fineract settles interest, and has a strategy that says how.
    ("crates/fineract-sandbox/", "settle"),
];

#[test]
fn gone_words_stay_gone() {
    let mut files = Vec::new();
    for folder in ["src", "crates", "docs", "migrations", "scripts"] {
        files.extend(files_under(&root().join(folder)));
    }
    for file in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        ".env.example",
        "Makefile",
    ] {
        files.push(root().join(file));
    }
    let mut offences = Vec::new();
    for path in files {
        let shown = path
            .strip_prefix(root())
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let text = read_lossy(&path);
        for (number, line) in text.lines().enumerate() {
            for (gone, instead) in GONE {
                let is_excepted = EXCEPT
                    .iter()
                    .any(|(folder, word)| shown.starts_with(folder) && gone.starts_with(word));
                if !is_excepted && has_word(line, gone) {
                    offences.push(format!("{shown}:{}: {gone}; say {instead}", number + 1));
                }
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn a_word_is_found_by_itself_and_in_names_of_several() {
    assert!(has_word("it settles", "settles"));
    assert!(has_word("Settles", "settles"));
    assert!(has_word("fn was_settled()", "settled"));
    assert!(!has_word("resettled", "settled"));
    assert!(!has_word("foreseeable", "foreseen"));
}

/// Whether a line has a word, alone or between underscores. Upper and lower case do not matter.
fn has_word(line: &str, word: &str) -> bool {
    let (line, word) = (line.to_lowercase(), word.to_lowercase());
    line.match_indices(&word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        ![before, after]
            .iter()
            .flatten()
            .any(|c| c.is_alphanumeric())
    })
}
