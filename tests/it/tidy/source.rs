//! The tree's Rust files, and what they use.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file of the tree.
pub(super) struct Source {
    /// Its path from the repository's root.
    path: PathBuf,
    pub(super) text: String,
    /// Its text without comments.
    pub(super) code: String,
}

impl Source {
    pub(super) fn all(folder: &str) -> Vec<Self> {
        files_under(&root().join(folder))
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .map(|path| Self::read(path))
            .collect()
    }

    fn read(path: &Path) -> Self {
        let text = read_lossy(path);
        let code = text
            .lines()
            .map(|line| line.split_once("//").map_or(line, |(code, _comment)| code))
            .collect::<Vec<_>>()
            .join("\n");
        let path = path
            .strip_prefix(root())
            .expect("a path of the tree")
            .to_owned();
        Self { path, text, code }
    }

    /// The file or folder right under `src/`, without its ending.
    pub(super) fn top_module(&self) -> String {
        let top = self.path.components().nth(1).expect("a file below src");
        let name = top.as_os_str().to_str().expect("a name in UTF-8");
        name.trim_end_matches(".rs").to_owned()
    }

    /// The top modules that it names, as `crate::x`, in `use crate::{x, y::z}`, or from the binary.
    pub(super) fn modules_used(&self) -> BTreeSet<String> {
        ["crate::", "fineract_gateway::"]
            .into_iter()
            .flat_map(|prefix| self.code.split(prefix).skip(1))
            .flat_map(first_names)
            .collect()
    }

    pub(super) fn uses_crate(&self, name: &str) -> bool {
        let path = format!("{name}::");
        self.code.match_indices(&path).any(|(at, _)| {
            let before = self.code[..at].chars().next_back();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The names that a path begins with: of `a::b` it is `a`, of `{a, b::{c, d}}` they are `a` and `b`.
fn first_names(path: &str) -> Vec<String> {
    let name_of = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name_of(path)];
    };
    let mut names = vec![name_of(group)];
    let mut depth = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name_of(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn names_are_found_in_groups() {
    let check = |path: &str, names: &[&str]| assert_eq!(first_names(path), names, "{path}");
    check("a::b;", &["a"]);
    check("{a, b::{c, d}, e};\nuse f::{g};", &["a", "b", "e"]);
    check("{\n    a::{x, y},\n    b,\n};", &["a", "b"]);
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a readable file")).into_owned()
}

/// Every file below a folder; none where there is no such folder.
pub(super) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_under(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
