//! Whether the modules right below a crate's root import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::sources::Source;

/// Module → the modules of the same crate that it names.
pub(crate) type Modules = BTreeMap<String, BTreeSet<String>>;

/// Read from every `crate::…` path outside tests. The root itself holds all and is no member.
pub(crate) fn modules(sources: &[Source]) -> Modules {
    let mut modules = Modules::new();
    for source in sources {
        if let Some(name) = module(&source.path) {
            let of = modules.entry(name).or_default();
            of.extend(named(source.code_without_tests()));
        }
    }
    let known: BTreeSet<String> = modules.keys().cloned().collect();
    for (name, of) in &mut modules {
        of.retain(|other| other != name && known.contains(other));
    }
    modules
}

/// `crate/src/http/send.rs` → `http`. A binary's file is a root of its own, and tests are nobody's.
fn module(path: &Path) -> Option<String> {
    let parts: Vec<_> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let below = parts.iter().position(|part| part == "src")?;
    let last = parts.last()?;
    let name = parts[below + 1].trim_end_matches(".rs");
    if last == "tests.rs" || matches!(name, "lib" | "main" | "bin") {
        return None;
    }
    Some(name.to_owned())
}

fn named(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, rest) in code
        .match_indices("crate::")
        .map(|(at, path)| code.split_at(at + path.len()))
    {
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split_once("};").map_or(group, |(group, _)| group);
                found.extend(group.split(',').map(first_word));
            }
            None => {
                found.insert(first_word(rest));
            }
        }
    }
    found
}

fn first_word(path: &str) -> String {
    let path = path.trim_start();
    let end = path
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(path.len());
    path[..end].to_owned()
}

/// One circle, if there is any.
pub(crate) fn find(modules: &Modules) -> Option<String> {
    let mut done = BTreeSet::new();
    modules
        .keys()
        .find_map(|name| visit(modules, name, &mut Vec::new(), &mut done))
}

fn visit<'a>(
    modules: &'a Modules,
    name: &'a str,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if let Some(start) = path.iter().position(|before| *before == name) {
        let circle = [&path[start..], &[name]].concat();
        return Some(circle.join(" → "));
    }
    if done.contains(name) {
        return None;
    }
    path.push(name);
    let found = modules
        .get(name)
        .into_iter()
        .flatten()
        .find_map(|next| visit(modules, next, path, done));
    path.pop();
    done.insert(name);
    found
}
