//! The contract for people: pages of Markdown, made from the OpenRPC document and from nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

mod events;
mod shapes;

use self::shapes::{fields, kind};

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub file_name: String,
    pub text: String,
}

const NOTE: &str = "<!-- Made by `connectd openrpc --markdown docs/reference` from client-lib/api: change it there. -->\n";

/// The index, a page for each namespace, and one each for events, shapes and errors.
pub fn pages(document: &Value) -> Vec<Page> {
    let mut namespaces: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for method in list(&document["methods"]) {
        namespaces
            .entry(namespace(method))
            .or_default()
            .push(method);
    }
    let mut pages = vec![page("README.md", &index(document))];
    for (namespace, methods) in &namespaces {
        let mut body = format!("# {namespace}.*\n");
        for method in methods {
            body.push_str(&describe_method(method));
        }
        if *namespace == "events" {
            body.push_str(&events::describe(document));
        }
        pages.push(page(&format!("{namespace}.md"), &body));
    }
    pages.push(page("shapes.md", &shapes::describe(document)));
    pages.push(page("errors.md", &errors(document)));
    pages
}

fn page(file_name: &str, body: &str) -> Page {
    Page {
        file_name: file_name.to_owned(),
        text: format!("{NOTE}\n{}\n", body.trim_end()),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn namespace(method: &Value) -> &str {
    text(&method["name"]).split('.').next().unwrap_or_default()
}

/// Where a method's heading is: what Markdown makes of it.
fn anchor(name: &str) -> String {
    name.replace('.', "")
}

fn index(document: &Value) -> String {
    let mut body = format!(
        "# Reference\n\nVersion {} of the contract on the socket: {} What is said in general stands in \
         [rpc.md](../rpc.md), the same for machines in [openrpc.json](../openrpc.json). The examples are made against a \
         real daemon by `tests/tests/examples.rs`; what differs from one installation to another is made up.\n\n\
         | method | | who may call it | while |\n|---|---|---|---|\n",
        text(&document["info"]["version"]),
        text(&document["info"]["description"]),
    );
    for method in list(&document["methods"]) {
        let name = text(&method["name"]);
        let _ = writeln!(
            body,
            "| [`{name}`]({}.md#{}) | {} | {} | {} |",
            namespace(method),
            anchor(name),
            cell(text(&method["summary"])),
            who(&method["x-access"]),
            when(&method["x-needs"]),
        );
    }
    body.push_str(
        "\n[Events](events.md#notifications), [shapes](shapes.md) of what is sent and answered, [errors](errors.md).\n",
    );
    body
}

/// In one cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn who(access: &Value) -> String {
    match access {
        Value::String(word) if word == "anyone" => "everyone, before authenticating too".to_owned(),
        Value::String(_) => "the owner and every paired app".to_owned(),
        scope => format!("scope `{}`", text(&scope["scope"])),
    }
}

fn when(needs: &Value) -> &'static str {
    match text(needs) {
        "unlocked" => "the session is open",
        "enrolled" => "there is an account, locked or not",
        _ => "always",
    }
}

fn describe_method(method: &Value) -> String {
    let name = text(&method["name"]);
    let mut body = format!(
        "\n## {name}\n\n{}\n\n*Who may call it:* {}. *Answered while:* {}.\n",
        text(&method["summary"]),
        who(&method["x-access"]),
        when(&method["x-needs"]),
    );
    body.push_str(&params(&method["params"]));
    let answer = &method["result"]["schema"];
    let _ = write!(body, "\n**Answer:** {}\n", kind(answer));
    let errors: Vec<String> = list(&method["errors"]).map(error_link).collect();
    let _ = write!(body, "\n**Errors:** {}\n", errors.join(", "));
    for example in list(&method["examples"]) {
        body.push_str(&example_call(name, example));
    }
    body
}

fn params(params: &Value) -> String {
    if list(params).next().is_none() {
        return "\n**Parameters:** none\n".to_owned();
    }
    let mut body = "\n| parameter | | | |\n|---|---|---|---|\n".to_owned();
    for param in list(params) {
        let needed = if param["required"] == true {
            "required"
        } else {
            "may be left out"
        };
        let _ = writeln!(
            body,
            "| `{}` | {} | {needed} | {} |",
            text(&param["name"]),
            kind(&param["schema"]),
            cell(text(&param["description"])),
        );
    }
    body
}

fn error_link(reference: &Value) -> String {
    let name = text(&reference["$ref"])
        .rsplit('/')
        .next()
        .unwrap_or_default();
    format!("[`{name}`](errors.md#{name})")
}

fn example_call(method: &str, example: &Value) -> String {
    let request =
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": named(&example["params"])});
    let answer = match example.get("x-error") {
        Some(error) => json!({"jsonrpc": "2.0", "id": 1, "error": error}),
        None => json!({"jsonrpc": "2.0", "id": 1, "result": example["result"]["value"]}),
    };
    format!(
        "\n*{}*\n\n```json\n{request:#}\n```\n\n```json\n{answer:#}\n```\n",
        text(&example["name"])
    )
}

/// Parameters as they are sent.
fn named(params: &Value) -> Value {
    let params =
        list(params).map(|param| (text(&param["name"]).to_owned(), param["value"].clone()));
    params.collect::<serde_json::Map<_, _>>().into()
}

fn errors(document: &Value) -> String {
    let all = &document["components"]["errors"];
    let is_among = |name: &str, which: &str| {
        let path = format!("#/components/errors/{name}");
        list(&document[which]).any(|reference| reference["$ref"] == path)
    };
    let mut body =
        "# Errors\n\nThe set is closed. An error is `{code, message, data}`; `data` is:\n"
            .to_owned();
    body.push_str(&fields(&document["components"]["schemas"]["ErrorData"]));
    let mut named: Vec<_> = all.as_object().into_iter().flatten().collect();
    named.sort_by_key(|(_, error)| std::cmp::Reverse(error["code"].as_i64()));
    for (name, error) in named {
        let place = if is_among(name, "x-reserved-errors") {
            " Reserved: this version answers with it nowhere."
        } else if is_among(name, "x-line-errors") {
            " It answers a line that does not come to a method."
        } else {
            ""
        };
        let _ = write!(
            body,
            "\n## {name}\n\n{}: {}.{place}\n\n*What to do:* {}\n",
            error["code"],
            text(&error["message"]),
            text(&error["x-advice"]),
        );
    }
    body
}

#[cfg(test)]
mod tests;
