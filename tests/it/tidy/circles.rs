//! The product's files do not use each other in a circle. So a reader of a file needs to know only files below it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    assert_none,
    source::{Source, paths_used},
};

/// The path of a module from the crate's root: `worker` for `src/worker/mod.rs`.
type Module = Vec<String>;

/// The modules of the product's files, with the paths that each file uses and the paths that it exports for others.
#[derive(Default)]
struct Imports {
    used: BTreeMap<Module, Vec<Module>>,
    exported: BTreeMap<(Module, String), Module>,
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let imports = Imports::of_product();
    let uses = imports.between_files();
    assert!(uses.len() > 100, "too few files were found");
    let offences: Vec<String> = uses
        .keys()
        .filter_map(|module| way_back(&uses, module))
        .map(|circle| circle.join(" -> "))
        .collect();
    assert_none(&offences);
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
            for path in paths_used(code.unwrap_or_default()) {
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

    /// The path from the crate's root. `None` if it leads out of the crate.
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

    /// The file that contains the item with this path, even if another file exports the item again.
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

/// The shortest way from a file over other files back to the same file.
fn way_back(uses: &BTreeMap<Module, BTreeSet<Module>>, start: &Module) -> Option<Vec<String>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in &uses[*way.last().expect("a way is never empty")] {
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
