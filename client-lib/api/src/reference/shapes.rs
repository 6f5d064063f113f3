//! What a schema says, in words.

use std::fmt::Write as _;

use serde_json::Value;

use super::{cell, list, text};

/// What a value is, in a few words.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = referred(schema) {
        return format!("[{name}](shapes.md#{})", name.to_lowercase());
    }
    for choice in ["allOf", "anyOf", "oneOf"] {
        if schema[choice].is_array() {
            let kinds: Vec<String> = list(&schema[choice]).map(kind).collect();
            return kinds.join(" or ");
        }
    }
    match &schema["type"] {
        Value::Array(types) => {
            let kinds: Vec<&str> = types.iter().map(text).collect();
            kinds.join(" or ")
        }
        Value::String(word) if word == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(word) => word.clone(),
        _ => "anything".to_owned(),
    }
}

fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

/// A table of an object's members; nothing where it has none.
pub(super) fn fields(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object() else {
        return String::new();
    };
    let required: Vec<&str> = list(&schema["required"]).map(text).collect();
    let mut body = "\n| member | | |\n|---|---|---|\n".to_owned();
    for (name, property) in properties {
        // Values that may be null are always there or left out by what they are: the schema says which they may be.
        let left_out = if required.contains(&name.as_str()) {
            ""
        } else {
            ", or left out"
        };
        let _ = writeln!(
            body,
            "| `{name}` | {}{left_out} | {} |",
            kind(property),
            cell(text(&property["description"])),
        );
    }
    body
}

/// Every shape that has a name.
pub(super) fn describe(document: &Value) -> String {
    let mut body = "# Shapes\n\nIds, keys and digests are lower-case hex; `*_ms` is milliseconds since the epoch. A client \
                    takes a value or a member that it does not know for one of a later version.\n"
        .to_owned();
    let schemas = document["components"]["schemas"].as_object();
    for (name, schema) in schemas.into_iter().flatten() {
        let _ = write!(body, "\n## {name}\n");
        if let Some(description) = schema["description"].as_str() {
            let _ = write!(body, "\n{description}\n");
        }
        body.push_str(&match name.as_str() {
            "Event" => {
                "\nEach type is described with [the notifications](events.md#notifications).\n"
                    .to_owned()
            }
            "ErrorCode" => "\nEach has [its own heading](errors.md).\n".to_owned(),
            _ => members(schema),
        });
    }
    body
}

fn members(schema: &Value) -> String {
    let mut body = fields(schema);
    let words = values(schema);
    if !words.is_empty() {
        body.push_str("\n| value | |\n|---|---|\n");
        for (word, description) in words {
            let _ = writeln!(body, "| `{word}` | {} |", cell(description));
        }
    } else if body.is_empty() && schema["oneOf"].is_array() {
        // A choice of objects.
        for choice in list(&schema["oneOf"]) {
            body.push_str(&fields(choice));
        }
    } else if body.is_empty() {
        let _ = write!(body, "\nIn JSON: {}.\n", kind(schema));
    }
    body
}

/// The words of an enumeration, each with what it says.
fn values(schema: &Value) -> Vec<(&str, &str)> {
    let mut words: Vec<(&str, &str)> = list(&schema["enum"]).map(|word| (text(word), "")).collect();
    for choice in list(&schema["oneOf"]) {
        words.extend(list(&choice["enum"]).map(|word| (text(word), "")));
        if let Some(word) = choice["const"].as_str() {
            words.push((word, text(&choice["description"])));
        }
    }
    words.extend(
        schema["const"]
            .as_str()
            .map(|word| (word, text(&schema["description"]))),
    );
    words
}
