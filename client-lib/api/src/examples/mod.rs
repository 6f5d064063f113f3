//! Calls as they go, with typed values: in the OpenRPC document, in `docs/reference.md`, and made by a test
//! against a real daemon (`tests/tests/examples.rs`).

use serde_json::{Value, json};

use crate::errors::{ErrorCode, ErrorData, Reason};
use crate::method::Method;

mod account;
mod apps;
mod attachments;
mod audit;
mod backup;
mod cases;
mod contacts;
mod conversations;
pub(crate) mod events;
mod groups;
mod messages;
mod policy;
mod quarantine;
pub mod sample;
mod session;
mod system;
mod trust;

/// One call, and how it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// A sentence that no other example of the method has.
    pub name: &'static str,
    /// An object.
    pub params: Value,
    /// The answer's `result`, or its `error`.
    pub answer: Result<Value, Value>,
}

impl Example {
    fn answered<M: Method>(name: &'static str, params: &M::Params, answer: &M::Answer) -> Self {
        Self {
            name,
            params: json!(params),
            answer: Ok(json!(answer)),
        }
    }

    fn refused<M: Method>(name: &'static str, params: &M::Params, error: &ErrorData) -> Self {
        Self {
            name,
            params: json!(params),
            answer: Err(error_object(error)),
        }
    }
}

fn error_object(data: &ErrorData) -> Value {
    json!({"code": data.code.number(), "message": data.code.message(), "data": data})
}

/// The methods that are shown at work. Nothing gets into the document without.
pub trait Shown: Method + Sized {
    /// One at least.
    fn examples() -> Vec<Example>;
}

fn error(code: ErrorCode) -> ErrorData {
    ErrorData {
        code,
        r#ref: sample::REF.to_owned(),
        field: None,
        reason: None,
        retry_after_ms: None,
        attempts_left: None,
    }
}

fn invalid(field: &str, reason: Reason) -> ErrorData {
    ErrorData {
        field: Some(field.to_owned()),
        reason: Some(reason),
        ..error(ErrorCode::Invalid)
    }
}
