//! JSON-RPC as lines: requests out, answers and notifications in.

use connect_api::errors::{ErrorCode, ErrorData};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::error::CallError;

/// Twice what the daemon writes at most by default.
pub(crate) const MAX_LINE: usize = 8 * 1024 * 1024;

/// Lines with a PIN in them fit, so that no half-grown copy stays in memory.
const USUAL_LINE: usize = 1024;

/// A request's line. It is wiped when dropped: it may hold a PIN.
pub(crate) type Line = Zeroizing<Vec<u8>>;

pub(crate) fn request(id: u64, method: &str, params: &impl Serialize) -> Result<Line, CallError> {
    #[derive(Serialize)]
    struct Request<'a, P> {
        jsonrpc: &'static str,
        id: u64,
        method: &'a str,
        params: &'a P,
    }
    let request = Request {
        jsonrpc: "2.0",
        id,
        method,
        params,
    };
    let mut line = Zeroizing::new(Vec::with_capacity(USUAL_LINE));
    serde_json::to_writer(&mut *line, &request).map_err(|_| CallError::Protocol)?;
    Ok(line)
}

/// A line from the daemon.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// Without an id it is about a line that the daemon could not read.
    Answer {
        id: Option<u64>,
        outcome: Result<&'a RawValue, CallError>,
    },
    Notification {
        method: String,
        params: &'a RawValue,
    },
}

pub(crate) fn read(line: &str) -> Result<Incoming<'_>, CallError> {
    #[derive(Deserialize)]
    struct Message<'a> {
        id: Option<u64>,
        #[serde(borrow, default, deserialize_with = "present")]
        result: Option<&'a RawValue>,
        #[serde(borrow)]
        error: Option<ErrorObject<'a>>,
        method: Option<String>,
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }
    let message: Message<'_> = serde_json::from_str(line).map_err(|_| CallError::Protocol)?;
    match message {
        Message {
            method: Some(method),
            params: Some(params),
            ..
        } => Ok(Incoming::Notification { method, params }),
        Message {
            id,
            error: Some(error),
            ..
        } => Ok(Incoming::Answer {
            id,
            outcome: Err(error.into()),
        }),
        Message {
            id,
            result: Some(result),
            ..
        } => Ok(Incoming::Answer {
            id,
            outcome: Ok(result),
        }),
        _ => Err(CallError::Protocol),
    }
}

#[derive(Deserialize)]
pub(crate) struct ErrorObject<'a> {
    code: i32,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl From<ErrorObject<'_>> for CallError {
    fn from(error: ErrorObject<'_>) -> Self {
        let data = error
            .data
            .and_then(|data| serde_json::from_str::<ErrorData>(data.get()).ok());
        let named = ErrorCode::ALL
            .iter()
            .find(|code| code.number() == error.code);
        match (named, data) {
            (Some(&code), Some(data)) => Self::Daemon { code, data },
            (Some(&code), None) => Self::Daemon {
                code,
                data: ErrorData {
                    code,
                    r#ref: String::new(),
                    field: None,
                    reason: None,
                    retry_after_ms: None,
                    attempts_left: None,
                },
            },
            (None, _) => Self::Protocol,
        }
    }
}

/// `null` is a result too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use connect_api::errors::Reason;

    use super::*;

    #[test]
    fn null_is_a_result() {
        let incoming = read(r#"{"jsonrpc":"2.0","id":7,"result":null}"#).unwrap();
        assert!(
            matches!(incoming, Incoming::Answer { id: Some(7), outcome: Ok(raw) } if raw.get() == "null")
        );
    }

    #[test]
    fn an_error_carries_its_data_and_stands_without_it() {
        let with = r#"{"id":1,"error":{"code":-32014,"message":"","data":{"code":"invalid","ref":"r","field":"text","reason":"empty"}}}"#;
        let Incoming::Answer {
            outcome: Err(CallError::Daemon { code, data }),
            ..
        } = read(with).unwrap()
        else {
            panic!("not an error");
        };
        assert_eq!(
            (code, data.reason),
            (ErrorCode::Invalid, Some(Reason::Empty))
        );
        let without = r#"{"id":null,"error":{"code":-32700,"message":"x"}}"#;
        let Incoming::Answer {
            id: None,
            outcome: Err(error),
        } = read(without).unwrap()
        else {
            panic!("not an error");
        };
        assert_eq!(error.code(), Some(ErrorCode::ParseError));
    }

    #[test]
    fn what_is_neither_answer_nor_notification_is_refused() {
        for line in [
            "",
            "[]",
            "{}",
            "nonsense",
            r#"{"id":1}"#,
            r#"{"id":1,"error":{"code":1}}"#,
        ] {
            let refused = match read(line) {
                Err(CallError::Protocol) => true,
                Ok(Incoming::Answer { outcome, .. }) => matches!(outcome, Err(CallError::Protocol)),
                _ => false,
            };
            assert!(refused, "{line}");
        }
    }
}
