//! No file of the product uses another that uses it: what a reader has to know to understand a file lies below it.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, source::Source};

/// A module's path from the crate's root: of `src/worker/mod.rs` it is `worker`.
type Module = Vec<String>;

/// The product's files: their modules, with the paths that each uses and those that it exports for others.
#[derive(Default)]
struct Imports {
    used: BTreeMap<Module, Vec<Module>>,
    exported: BTreeMap<(Module, String), Module>,
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let imports = Imports::of_product();
    let uses = imports.between_files();
    assert!(uses.len() > 100, "the files are found");
    let offences: Vec<String> = uses
        .keys()
        .filter_map(|module| way_back(&uses, module))
        .map(|circle| circle.join(" -> "))
        .collect();
    assert_none(&offences);
}

#[test]
fn imports_are_found_in_trees_and_paths() {
    let uses = |code: &str| {
        let mut paths = used_paths(code);
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

impl Imports {
    fn of_product() -> Self {
        let mut imports = Self::default();
        let files: Vec<(Module, Source)> = Source::all("src")
            .into_iter()
            .map(|file| (module_of(&file.to_string()), file))
            .collect();
        for (module, _) in &files {
            imports.used.insert(module.clone(), Vec::new());
        }
        for (module, file) in files {
            let code = file.code.split("#[cfg(test)]\nmod tests {").next();
            for path in used_paths(code.unwrap_or_default()) {
                let (is_exported, path) = match path.strip_prefix("pub ") {
                    Some(path) => (true, path),
                    None => (false, path.as_str()),
                };
                let Some(path) = imports.absolute(&module, path) else {
                    continue;
                };
                if is_exported && let Some(name) = path.last() {
                    let name = (module.clone(), name.clone());
                    imports.exported.insert(name, path);
                } else if let Some(used) = imports.used.get_mut(&module) {
                    used.push(path);
                }
            }
        }
        imports
    }

    /// A path as it is from the crate's root; `None`: it leads out of the crate.
    fn absolute(&self, module: &Module, path: &str) -> Option<Module> {
        let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
        let mut base = module.clone();
        match parts[0].as_str() {
            "crate" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()),
            first => {
                base.push(first.to_owned());
                self.used.contains_key(&base).then_some(())?;
            }
        }
        parts.remove(0);
        base.extend(parts);
        Some(base)
    }

    /// The file in which something is, whatever it is exported from.
    fn file_of(&self, path: &[String]) -> Option<Module> {
        let length = (1..=path.len())
            .rev()
            .find(|length| self.used.contains_key(&path[..*length]))?;
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let name = rest.first().map(|name| (module.clone(), name.clone()));
        match name.and_then(|name| self.exported.get(&name)) {
            Some(exported) => self.file_of(&[exported, &rest[1..]].concat()),
            None => Some(module),
        }
    }

    fn between_files(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let used = |(module, paths): (&Module, &Vec<Module>)| {
            let files = paths.iter().filter_map(|path| self.file_of(path));
            let others = files.filter(|file| file != module).collect();
            (module.clone(), others)
        };
        self.used.iter().map(used).collect()
    }
}

fn module_of(file: &str) -> Module {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The shortest way over other files back to a file.
fn way_back(uses: &BTreeMap<Module, BTreeSet<Module>>, start: &Module) -> Option<Vec<String>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in &uses[*way.last().expect("a way begins somewhere")] {
                let way = [way.as_slice(), &[next]].concat();
                if next == start {
                    return Some(way.into_iter().map(|module| module.join("/")).collect());
                }
                if seen.insert(next) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

/// The paths that code names: in its `use` items, those of `pub use` marked so, and in its expressions.
fn used_paths(code: &str) -> Vec<String> {
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
    // Who may see an item is no use of it.
    let rest = rest.replace("(in crate::", "(").replace("(in super::", "(");
    for prefix in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(prefix) {
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let path: String = rest[at..].chars().take_while(|c| is_path(*c)).collect();
            paths.push(path.trim_end_matches(':').to_owned());
        }
    }
    paths
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`.
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
