//! The notifications: every type of event, who is told of it, and how it looks.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::shapes::fields;
use super::{list, named, text};

pub(super) fn describe(document: &Value) -> String {
    let notification = &document["x-notifications"][0];
    let name = text(&notification["name"]);
    let mut body = format!(
        "\n## Notifications\n\nAfter `events.subscribe`, each event comes as a line of its own, without an `id`: `{name}`, \
         with `subscription` and `result`, the event. `events.list` answers with the same events. Every event has \
         `event_id`, which rises strictly, `at_ms` and `type`; an app is told only of those that its scopes allow.\n",
    );
    for example in list(&notification["examples"]) {
        let params = named(&example["params"]);
        let kind = text(&params["result"]["type"]);
        let line = json!({"jsonrpc": "2.0", "method": name, "params": params});
        let _ = write!(
            body,
            "\n### {kind}\n\n{}\n\n*Who is told:* {}.\n{}\n*{}*\n\n```json\n{line:#}\n```\n",
            text(&choice(document, kind)["description"]),
            told(&notification["x-scopes"][kind]),
            members(document, kind),
            text(&example["name"]),
        );
    }
    body
}

fn choice<'d>(document: &'d Value, kind: &str) -> &'d Value {
    let mut choices = list(&document["components"]["schemas"]["Event"]["oneOf"]);
    let found = choices.find(|choice| choice["properties"]["type"]["const"] == kind);
    found.unwrap_or(&Value::Null)
}

/// What it has beside what every event has.
fn members(document: &Value, kind: &str) -> String {
    let mut choice = choice(document, kind).clone();
    for part in list(&choice["allOf"].clone()) {
        let path = text(&part["$ref"]).trim_start_matches('#');
        let part = document.pointer(path).unwrap_or(&Value::Null);
        let properties = part["properties"].as_object().into_iter().flatten();
        for (name, property) in properties {
            choice["properties"][name] = property.clone();
        }
        let required = list(&part["required"]).chain(list(&choice["required"]));
        choice["required"] = required.cloned().collect();
    }
    if let Some(properties) = choice["properties"].as_object_mut() {
        properties.remove("type");
        if properties.is_empty() {
            return String::new();
        }
    }
    fields(&choice)
}

fn told(scopes: &Value) -> String {
    let scopes: Vec<String> = list(scopes)
        .map(|scope| format!("`{}`", text(scope)))
        .collect();
    if scopes.is_empty() {
        return "the owner, and apps with the scope `events.read`".to_owned();
    }
    format!(
        "the owner, and apps with `events.read` and {}",
        scopes.join(" or ")
    )
}
