//! Whatever comments and documents refer to exists: the facts about Fineract in `docs/fineract`, and every link.

use std::fs;
use std::path::{Path, PathBuf};

use super::assert_none;
use super::source::{Source, files_under, read_lossy, root};

/// The folder of the facts. A citation without a heading is checked only if it names a file in this folder.
const FACTS: &str = "docs/fineract/";

#[test]
fn what_is_cited_is_there() {
    let rust = ["src", "crates", "tests", "benches"]
        .into_iter()
        .flat_map(Source::all)
        .map(|file| (file.to_string(), file.text));
    let documents = documents()
        .into_iter()
        .map(|path| (shown(&path), read_lossy(&path)));
    let mut offences = Vec::new();
    for (file, text) in rust.chain(documents) {
        for (path, cited) in citations(&text) {
            if cited.is_empty() && !path.starts_with(FACTS) {
                continue;
            }
            let path_there = root().join(&path);
            if !path_there.is_file() {
                offences.push(format!("{file}: there is no {path}"));
                continue;
            }
            let document = read_lossy(&path_there);
            for heading in cited {
                if !has_section(&document, &heading) {
                    offences.push(format!("{file}: {path} has no \"## {heading}\""));
                }
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn links_lead_somewhere() {
    let mut offences = Vec::new();
    for path in documents() {
        for target in links(&read_lossy(&path)) {
            if !leads_somewhere(&path, &target) {
                offences.push(format!("{}: nothing is at {target}", shown(&path)));
            }
        }
    }
    assert_none(&offences);
}

/// A merged migration cannot be changed any more. Everything else refers only to documents that a reader has.
#[test]
fn nothing_rests_on_what_readers_do_not_have() {
    let words = [concat!("CONTRACT", ".md"), concat!("MEASURED", ".md")];
    let files = ["src", "crates", "tests", "benches", "docs", "scripts"]
        .into_iter()
        .flat_map(|folder| files_under(&root().join(folder)))
        .chain(documents());
    let mut offences = Vec::new();
    for path in files {
        let text = read_lossy(&path);
        for word in words.iter().filter(|word| text.contains(**word)) {
            offences.push(format!("{}: {word}", shown(&path)));
        }
    }
    assert_none(&offences);
}

/// The documents for people: the Markdown files at the top of the repository and in `docs`.
fn documents() -> Vec<PathBuf> {
    fs::read_dir(root())
        .expect("the repository's root")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .chain(files_under(&root().join("docs")))
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

/// A path relative to the repository's root.
fn shown(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.display().to_string()
}

/// The documents that a text names in backticks, each with the headings that are quoted after the name.
fn citations(text: &str) -> Vec<(String, Vec<String>)> {
    let text = flowing(text);
    let end = ".md`";
    text.match_indices(end)
        .map(|(at, _)| {
            let name = text[..at].rsplit('`').next().unwrap_or_default();
            let cited = quoted(&text[at + end.len()..]);
            (format!("{name}.md"), cited)
        })
        .collect()
}

/// A text in one line and without comment marks, because a citation may be wrapped over several lines.
fn flowing(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        line.strip_prefix("//").map_or(line, |comment| {
            comment.trim_start_matches(['/', '!']).trim_start()
        })
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The headings in a text that begins like `, "One" and "Another"`.
fn quoted(text: &str) -> Vec<String> {
    let mut headings = Vec::new();
    let mut rest = text;
    while let Some((heading, behind)) = next_quoted(rest) {
        headings.push(heading.to_owned());
        rest = behind;
    }
    headings
}

fn next_quoted(text: &str) -> Option<(&str, &str)> {
    let quoted = text
        .strip_prefix(", \"")
        .or_else(|| text.strip_prefix(" and \""))?;
    quoted.split_once('"')
}

fn has_section(document: &str, heading: &str) -> bool {
    prose(document)
        .filter_map(|line| line.strip_prefix("## "))
        .any(|section| section.trim() == heading)
}

/// The targets of a document's links, except links to the web.
fn links(document: &str) -> Vec<String> {
    prose(document)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned())
        .filter(|target| !target.contains("://"))
        .collect()
}

/// Whether the target of a link exists: the file, and in the file the heading.
fn leads_somewhere(document: &Path, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() {
        document.to_owned()
    } else {
        document.with_file_name(path)
    };
    if anchor.is_empty() {
        return file.exists();
    }
    file.is_file()
        && prose(&read_lossy(&file))
            .filter(|line| line.starts_with('#'))
            .any(|line| slug(line.trim_start_matches('#').trim()) == anchor)
}

/// The anchor of a heading, as GitHub computes it.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// The lines of a document that are not in a code block.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    document.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

#[test]
fn citations_are_found_across_lines() {
    let text = "    /// Of a loan (`docs/fineract/loans.md`, \"The\n    /// summary\" and \"Loan states\").";
    let headings = vec!["The summary".to_owned(), "Loan states".to_owned()];
    let loans = "docs/fineract/loans.md".to_owned();
    assert_eq!(citations(text), [(loans, headings)]);
    let whole = "docs/fineract/README.md".to_owned();
    assert_eq!(
        citations("// `docs/fineract/README.md` says so"),
        [(whole, Vec::<String>::new())]
    );
}

#[test]
fn anchors_are_those_of_github() {
    for (heading, anchor) in [
        ("The same key again", "the-same-key-again"),
        ("3. Both, restored", "3-both-restored"),
        ("`POST /bulk/retry`", "post-bulkretry"),
        ("a_b and a-b", "a_b-and-a-b"),
    ] {
        assert_eq!(slug(heading), anchor);
    }
}

#[test]
fn links_are_those_outside_of_code_and_inside_of_the_tree() {
    let document = "[a](A.md#b), [c](https://c.d)\n```\n[e](E.md)\n```\n[f](#g)";
    assert_eq!(links(document), ["A.md#b", "#g"]);
}
