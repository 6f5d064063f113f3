//! The contract as an OpenRPC document, made from the method types.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use crate::errors::{self, ErrorCode, ErrorData};
use crate::examples::{self, Example, Shown};
use crate::method::{Access, Method as _, Needs, errors_of};
use crate::{
    account, apps, attachments, audit, backup, cases, contacts, conversations, events, groups,
    messages, policy, quarantine, rpc, search, session, system, trust,
};

/// What the table of methods knows about each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub name: &'static str,
    pub access: Access,
    pub needs: Needs,
    /// Its own errors: [`errors_of`] has the others too.
    pub errors: &'static [ErrorCode],
}

macro_rules! for_each_method {
    ($do:ident) => {
        $do!(system::Hello);
        $do!(system::GetHealth);
        $do!(rpc::Discover);
        $do!(session::Authenticate);
        $do!(session::Unlock);
        $do!(session::Uncover);
        $do!(session::Lock);
        $do!(session::ChangePin);
        $do!(session::Recover);
        $do!(session::SetRecoveryKey);
        $do!(account::Enroll);
        $do!(account::Get);
        $do!(account::UpdateProfile);
        $do!(account::RotateKeys);
        $do!(account::Delete);
        $do!(contacts::Add);
        $do!(contacts::Get);
        $do!(contacts::List);
        $do!(contacts::Search);
        $do!(contacts::Remove);
        $do!(contacts::Block);
        $do!(trust::Fingerprint);
        $do!(trust::Compare);
        $do!(trust::Decide);
        $do!(trust::ListPending);
        $do!(trust::Import);
        $do!(quarantine::List);
        $do!(quarantine::Get);
        $do!(conversations::List);
        $do!(conversations::ExportConversation);
        $do!(groups::Create);
        $do!(groups::Get);
        $do!(groups::List);
        $do!(groups::Update);
        $do!(groups::Leave);
        $do!(messages::Send);
        $do!(messages::List);
        $do!(messages::Get);
        $do!(messages::MarkRead);
        $do!(messages::Edit);
        $do!(messages::Delete);
        $do!(messages::ListVersions);
        $do!(messages::TellTyping);
        $do!(cases::Create);
        $do!(cases::ExportCase);
        $do!(cases::Get);
        $do!(cases::List);
        $do!(cases::SetField);
        $do!(cases::ListFieldHistory);
        $do!(cases::AddParticipant);
        $do!(cases::RemoveParticipant);
        $do!(cases::Leave);
        $do!(cases::Close);
        $do!(search::Search);
        $do!(attachments::BeginUpload);
        $do!(attachments::BeginDownload);
        $do!(attachments::Get);
        $do!(attachments::List);
        $do!(attachments::Cancel);
        $do!(attachments::DiscardLocal);
        $do!(policy::Get);
        $do!(policy::Set);
        $do!(events::List);
        $do!(events::Ack);
        $do!(apps::Create);
        $do!(apps::List);
        $do!(apps::Revoke);
        $do!(audit::List);
        $do!(audit::Verify);
        $do!(backup::Begin);
        $do!(backup::BeginVerify);
        $do!(backup::BeginRestore);
        $do!(events::Subscribe);
        $do!(events::Unsubscribe);
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
                errors: <$method>::ERRORS,
            });
        };
    }
    for_each_method!(add);
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
        "x-line-errors": refs(errors::OF_A_LINE),
        "x-reserved-errors": refs(errors::RESERVED),
        "x-notifications": [{
            "name": events::NOTIFICATION,
            "summary": "Something happened. `subscription` says which subscription it is told to.",
            "params": {"subscription": schemas.subschema_for::<u64>(), "result": event},
            "examples": examples::events::notifications().iter().map(notification_example).collect::<Vec<_>>(),
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

fn describe_method<M: Shown>(schemas: &mut SchemaGenerator) -> Value {
    let params = schemas.root_schema_for::<M::Params>().to_value();
    let params = describe_params(&params, &json!(schemas.definitions()));
    let answer = schemas.subschema_for::<M::Answer>();
    let examples = M::examples();
    let mut method = json!({
        "name": M::NAME,
        "summary": M::SUMMARY.trim(),
        "paramStructure": "by-name",
        "params": params,
        "result": {"name": "answer", "schema": answer},
        "errors": refs(&errors_of(M::ACCESS, M::NEEDS, M::ERRORS)),
        "examples": examples.iter().map(|example| example_pairing(M::NAME, example)).collect::<Vec<_>>(),
        "x-access": access(M::ACCESS),
        "x-needs": needs(M::NEEDS),
    });
    if M::NAME == events::SUBSCRIBE {
        method["x-notification"] = json!(events::NOTIFICATION);
    }
    method
}

fn describe_params(schema: &Value, definitions: &Value) -> Vec<Value> {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema["properties"].as_object().cloned();
    properties
        .unwrap_or_default()
        .into_iter()
        .map(|(name, mut schema)| {
            let required = required.contains(&name.as_str());
            // It is the parameter's, and the type has one of its own.
            let own = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let description = own.unwrap_or_else(|| definition(&schema, definitions)["description"].clone());
            json!({"name": name, "description": description, "required": required, "schema": schema})
        })
        .collect()
}

fn definition<'d>(schema: &Value, definitions: &'d Value) -> &'d Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    &definitions[name.unwrap_or_default()]
}

/// Of an error, OpenRPC has no place in an example: it stands beside.
fn example_pairing(method: &str, example: &Example) -> Value {
    let mut pairing = json!({
        "name": example.name,
        "description": format!("{method}: {}", example.name),
        "params": example_params(example),
    });
    match &example.answer {
        Ok(result) => pairing["result"] = json!({"name": "answer", "value": result}),
        Err(error) => pairing["x-error"] = error.clone(),
    }
    pairing
}

fn notification_example(example: &Example) -> Value {
    json!({"name": example.name, "params": example_params(example)})
}

fn example_params(example: &Example) -> Vec<Value> {
    let params = example.params.as_object().into_iter().flatten();
    params
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
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
            let error = json!({
                "code": code.number(),
                "message": code.message(),
                "data": data,
                "x-advice": code.advice(),
            });
            (code.name().to_owned(), error)
        })
        .collect::<Map<_, _>>()
        .into()
}

fn refs(codes: &[ErrorCode]) -> Vec<Value> {
    codes
        .iter()
        .map(|code| json!({"$ref": format!("#/components/errors/{}", code.name())}))
        .collect()
}

#[cfg(test)]
mod tests;
