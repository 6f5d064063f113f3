//! The contract as an OpenRPC document, made from the method types.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use crate::errors::{ErrorCode, ErrorData};
use crate::method::{Access, Method, Needs};
use crate::{
    account, apps, audit, contacts, conversations, events, messages, policy, rpc, search, session,
    system,
};

/// What the table of methods knows about each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    pub access: Access,
    pub needs: Needs,
}

macro_rules! for_each_method {
    ($do:ident) => {
        $do!(system::Hello);
        $do!(system::GetHealth);
        $do!(rpc::Discover);
        $do!(session::Authenticate);
        $do!(session::Unlock);
        $do!(session::Lock);
        $do!(session::ChangePin);
        $do!(session::Recover);
        $do!(session::SetRecoveryKey);
        $do!(account::Enroll);
        $do!(account::Get);
        $do!(contacts::Add);
        $do!(contacts::Get);
        $do!(contacts::List);
        $do!(conversations::List);
        $do!(messages::Send);
        $do!(messages::List);
        $do!(messages::Get);
        $do!(messages::MarkRead);
        $do!(messages::Edit);
        $do!(messages::Delete);
        $do!(messages::ListVersions);
        $do!(messages::TellTyping);
        $do!(search::Search);
        $do!(policy::Get);
        $do!(policy::Set);
        $do!(events::List);
        $do!(events::Ack);
        $do!(apps::Create);
        $do!(apps::List);
        $do!(apps::Revoke);
        $do!(audit::List);
        $do!(audit::Verify);
    };
}

/// Every method of the contract, subscriptions included.
pub fn methods() -> Vec<Entry> {
    let mut entries = Vec::new();
    macro_rules! add {
        ($method:ty) => {
            entries.push(Entry {
                name: <$method>::NAME,
                access: <$method>::ACCESS,
                needs: <$method>::NEEDS,
            });
        };
    }
    for_each_method!(add);
    for (name, needs) in [
        (events::SUBSCRIBE, events::NEEDS),
        (events::UNSUBSCRIBE, Needs::Nothing),
    ] {
        entries.push(Entry {
            name,
            access: events::ACCESS,
            needs,
        });
    }
    entries
}

/// The document that `rpc.discover` answers and `connectd openrpc` prints.
pub fn document(daemon_version: &str) -> Value {
    let mut schemas = SchemaSettings::draft07()
        .with(|s| s.definitions_path = "/components/schemas".into())
        .with_transform(RecursiveTransform(unwrap_only_choice))
        .into_generator();
    let mut methods = Vec::new();
    macro_rules! describe {
        ($method:ty) => {
            methods.push(describe_method::<$method>(&mut schemas));
        };
    }
    for_each_method!(describe);
    methods.push(describe_subscribe(&mut schemas));
    methods.push(describe_unsubscribe());
    let error_data = schemas.subschema_for::<ErrorData>();
    let event = schemas.subschema_for::<events::Event>();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "connectd",
            "version": crate::API_VERSION.to_string(),
            "description": "JSON-RPC 2.0, one JSON text per line, over a Unix socket or named pipe.",
            "x-daemon-version": daemon_version,
        },
        "methods": methods,
        "components": {
            "schemas": schemas.take_definitions(true),
            "errors": errors(&error_data.to_value()),
        },
        "x-notifications": [{
            "name": events::NOTIFICATION,
            "params": {"subscription": {"type": ["integer", "string"]}, "result": event},
            "x-access": access(events::ACCESS),
            "x-scopes": event_scopes(),
        }],
    })
}

/// An enumeration that has a variant for later values is described as a choice of one: it is just that one.
fn unwrap_only_choice(schema: &mut Schema) {
    let Some(Value::Array(choices)) = schema.get("oneOf") else {
        return;
    };
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("oneOf");
        for (name, value) in only {
            schema.insert(name, value);
        }
    }
}

fn describe_method<M: Method>(schemas: &mut SchemaGenerator) -> Value {
    let params = schemas.root_schema_for::<M::Params>().to_value();
    let required: Vec<&str> = params["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let params: Vec<Value> = params["properties"]
        .as_object()
        .cloned()
        .unwrap_or_else(Map::new)
        .into_iter()
        .map(|(name, schema)| {
            json!({"name": name, "required": required.contains(&name.as_str()), "schema": schema})
        })
        .collect();
    let answer = schemas.subschema_for::<M::Answer>();
    json!({
        "name": M::NAME,
        "summary": M::SUMMARY.trim(),
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": "answer", "schema": answer},
        "errors": error_refs(M::ACCESS, M::NEEDS),
        "x-access": access(M::ACCESS),
        "x-needs": needs(M::NEEDS),
    })
}

fn describe_subscribe(schemas: &mut SchemaGenerator) -> Value {
    let after = schemas.subschema_for::<Option<u64>>();
    json!({
        "name": events::SUBSCRIBE,
        "summary": "Replays events after `after`, then follows, without a hole between the two.",
        "paramStructure": "by-name",
        "params": [{"name": "after", "required": false, "schema": after}],
        "result": {"name": "subscription", "schema": {"type": ["integer", "string"]}},
        "errors": error_refs(events::ACCESS, events::NEEDS),
        "x-access": access(events::ACCESS),
        "x-needs": needs(events::NEEDS),
        "x-notification": events::NOTIFICATION,
    })
}

fn describe_unsubscribe() -> Value {
    json!({
        "name": events::UNSUBSCRIBE,
        "summary": "Ends a subscription of this connection.",
        "paramStructure": "by-name",
        "params": [{"name": "subscription", "required": true, "schema": {"type": ["integer", "string"]}}],
        "result": {"name": "ended", "schema": {"type": "boolean"}},
        "errors": error_refs(events::ACCESS, Needs::Nothing),
        "x-access": access(events::ACCESS),
        "x-needs": needs(Needs::Nothing),
    })
}

fn access(access: Access) -> Value {
    match access {
        Access::Anyone => json!("anyone"),
        Access::Authenticated => json!("authenticated"),
        Access::Scope(scope) => json!({ "scope": scope }),
    }
}

/// Which scopes an event's type takes beside the access to events: any one of the list, or none where it is empty.
fn event_scopes() -> Value {
    let scopes = events::SCOPES.map(|(name, any_of)| (name.to_owned(), json!(any_of)));
    scopes.into_iter().collect::<Map<_, _>>().into()
}

fn needs(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing => "nothing",
        Needs::Enrolled => "enrolled",
        Needs::Unlocked => "unlocked",
    }
}

fn errors(data: &Value) -> Value {
    ErrorCode::ALL
        .iter()
        .map(|code| {
            let error = json!({"code": code.number(), "message": code.message(), "data": data});
            (code.name().to_owned(), error)
        })
        .collect::<Map<_, _>>()
        .into()
}

/// The errors that follow from who may call a method and when; a method's own come beside them.
fn error_refs(access: Access, needs: Needs) -> Vec<Value> {
    let mut codes = vec![
        ErrorCode::InvalidParams,
        ErrorCode::Timeout,
        ErrorCode::Internal,
    ];
    if access != Access::Anyone {
        codes.push(ErrorCode::Unauthenticated);
    }
    if matches!(access, Access::Scope(_)) {
        codes.push(ErrorCode::Forbidden);
    }
    if needs != Needs::Nothing {
        codes.push(ErrorCode::NotEnrolled);
    }
    if needs == Needs::Unlocked {
        codes.extend([ErrorCode::Locked, ErrorCode::InstallationRevoked]);
    }
    codes
        .into_iter()
        .map(|code| json!({"$ref": format!("#/components/errors/{}", code.name())}))
        .collect()
}

#[cfg(test)]
mod tests {
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
}
