//! Nothing of the document is lost on the way, and no link leads nowhere.

use std::collections::BTreeSet;

use super::*;
use crate::errors::ErrorCode;
use crate::openrpc;

fn all() -> Vec<Page> {
    pages(&openrpc::document("0"))
}

fn headings(page: &Page) -> BTreeSet<String> {
    let lines = page.text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| anchor(&line.trim_start_matches('#').trim().to_lowercase()))
        .collect()
}

#[test]
fn every_method_parameter_error_event_and_example_has_its_place() {
    let document = openrpc::document("0");
    let text_of = |file: &str| {
        let found = all().into_iter().find(|page| page.file_name == file);
        found.expect("a page").text
    };
    for method in list(&document["methods"]) {
        let page = text_of(&format!("{}.md", namespace(method)));
        let name = text(&method["name"]);
        let heading = format!("\n## {name}\n");
        let (_, own) = page.split_once(&heading).expect("a heading");
        let own = own.split("\n## ").next().expect("its part");
        for param in list(&method["params"]) {
            let param = text(&param["name"]);
            assert!(own.contains(&format!("| `{param}` |")), "{name} {param}");
        }
        for error in list(&method["errors"]) {
            assert!(own.contains(&error_link(error)), "{name} {error}");
        }
        for example in list(&method["examples"]) {
            let example = format!("\n*{}*\n", text(&example["name"]));
            assert!(own.contains(&example), "{name} {example}");
        }
    }
    for code in ErrorCode::ALL {
        let page = text_of("errors.md");
        assert!(page.contains(&format!("\n## {}\n", code.name())));
        assert!(page.contains(code.advice()));
    }
    for (kind, _) in crate::events::SCOPES {
        assert!(text_of("events.md").contains(&format!("\n### {kind}\n")));
    }
}

#[test]
fn every_link_from_page_to_page_leads_somewhere() {
    let pages = all();
    for page in &pages {
        for link in page.text.split("](").skip(1) {
            let link = link.split(')').next().expect("an end");
            if link.starts_with("..") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = pages.iter().find(|page| page.file_name == file);
            let target = target.unwrap_or_else(|| panic!("{link} in {}", page.file_name));
            assert!(
                place.is_empty() || headings(target).contains(place),
                "{link}"
            );
        }
    }
}
