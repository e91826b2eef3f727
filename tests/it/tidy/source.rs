//! The Rust files of the repository, and the modules that they use.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file of the repository.
pub(super) struct Source {
    /// The path relative to the repository's root.
    path: PathBuf,
    pub(super) text: String,
    /// The text of the file without comments.
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

    /// The file or folder directly under `src/` that contains this file, without an extension.
    pub(super) fn top_module(&self) -> String {
        let top = self.path.components().nth(1).expect("a file below src");
        let name = top.as_os_str().to_str().expect("a name in UTF-8");
        name.trim_end_matches(".rs").to_owned()
    }

    /// The top modules that the file names: as `crate::x`, in `use crate::{x, y::z}`, or as `fineract_gateway::x`.
    pub(super) fn modules_used(&self) -> BTreeSet<String> {
        modules_in(&self.code)
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

/// The top modules of the crate that this code names.
fn modules_in(code: &str) -> BTreeSet<String> {
    let module = |path: &String| {
        let path = path.trim_start_matches("pub ");
        let (root, rest) = path.split_once("::")?;
        let is_ours = matches!(root, "crate" | "fineract_gateway");
        rest.split("::")
            .next()
            .filter(|_| is_ours)
            .map(str::to_owned)
    };
    paths_used(code).iter().filter_map(module).collect()
}

/// The paths that code names, in its `use` items and in its expressions. A path of a `pub use` begins with `pub `.
pub(super) fn paths_used(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = String::new();
    for item in code.split_inclusive(';') {
        let Some((before, tree)) = item.trim_end_matches(';').rsplit_once("use ") else {
            rest.push_str(item);
            continue;
        };
        let start = before.rsplit('\n').next().unwrap_or_default().trim();
        if !(start.is_empty() || start.starts_with("pub")) {
            rest.push_str(item);
            continue;
        }
        let mark = if start.is_empty() { "" } else { "pub " };
        rest.push_str(before);
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        paths.extend(
            leaves(&tree)
                .into_iter()
                .map(|path| format!("{mark}{path}")),
        );
    }
    // A visibility such as `pub(in crate::x)` does not use the module.
    let rest = rest.replace("(in crate::", "(").replace("(in super::", "(");
    for prefix in ["crate::", "super::", "fineract_gateway::"] {
        for (at, _) in rest.match_indices(prefix) {
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let path: String = rest[at..].chars().take_while(|c| is_path(*c)).collect();
            paths.push(path.trim_end_matches(':').to_owned());
        }
    }
    paths
}

/// The single paths of a `use` tree: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, group)) = tree.split_once('{') else {
        return vec![
            tree.split(" as ")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        ];
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in group.chars().chain([',']) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(letter);
        }
    }
    parts
        .iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| leaves(part))
        .map(|leaf| format!("{prefix}{leaf}"))
        .collect()
}

#[test]
fn imports_are_found_in_trees_and_paths() {
    let uses = |code: &str| {
        let mut paths = paths_used(code);
        paths.sort();
        paths
    };
    assert_eq!(
        uses("use super::{a::{B, C as D}, e};\npub use self::f::G;\nlet x = crate::h::i();"),
        [
            "crate::h::i",
            "pub self::f::G",
            "super::a::B",
            "super::a::C",
            "super::e"
        ]
    );
}

#[test]
fn names_are_found_in_groups() {
    let check = |path: &str, names: &[&str]| {
        let modules = modules_in(&format!("use crate::{path}"));
        assert_eq!(Vec::from_iter(modules), names, "{path}");
    };
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

/// Every file below a folder. Empty if the folder does not exist.
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
