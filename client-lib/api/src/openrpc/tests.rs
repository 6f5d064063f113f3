//! What must be in the document.

use super::*;

#[test]
fn the_document_has_every_method_once() {
    let document = document("0");
    let names: Vec<&str> = document["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap())
        .collect();
    let table: Vec<&str> = methods().iter().map(|m| m.name).collect();
    assert_eq!(names, table);
}

#[test]
fn every_type_of_event_has_its_scopes() {
    let document = document("0");
    let notification = &document["x-notifications"][0];
    let reference = notification["params"]["result"]["$ref"].as_str().unwrap();
    let event = document.pointer(reference.trim_start_matches('#')).unwrap();
    let types: Vec<&str> = event["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["type"]["const"].as_str().unwrap())
        .collect();
    let mut named: Vec<&str> = events::SCOPES.iter().map(|(name, _)| *name).collect();
    named.sort_unstable();
    let mut sorted = types.clone();
    sorted.sort_unstable();
    assert_eq!(named, sorted);
}

#[test]
fn required_parameters_are_told() {
    let document = document("0");
    let send = document["methods"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["name"] == "messages.send")
        .unwrap();
    let required: Vec<(&str, bool)> = send["params"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            (
                p["name"].as_str().unwrap(),
                p["required"].as_bool().unwrap(),
            )
        })
        .collect();
    assert!(required.contains(&("conversation", true)));
    assert!(required.contains(&("client_ref", false)));
}
