//! One line of a client: a JSON-RPC 2.0 request, or the reason why it is none.

use std::borrow::Cow;

use connect_api::errors::ErrorCode;
use jsonrpsee::types::Id;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[derive(Debug, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// A request of the contract: it has an id, and named parameters or none.
pub(crate) struct Request<'a> {
    pub(crate) id: Id<'static>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a str>,
}

/// What is answered in a request's stead.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed {
    pub(crate) id: Id<'static>,
    pub(crate) code: ErrorCode,
}

impl Malformed {
    fn new(code: ErrorCode) -> Self {
        Self { id: Id::Null, code }
    }
}

pub(crate) fn parse(line: &str) -> Result<Request<'_>, Malformed> {
    let wire: Wire<'_> = serde_json::from_str(line).map_err(|_| {
        // Not JSON at all, or only not a request: the error of the first look tells of whichever came first.
        Malformed::new(match serde_json::from_str::<IgnoredAny>(line) {
            Ok(_) => ErrorCode::InvalidRequest,
            Err(_) => ErrorCode::ParseError,
        })
    })?;
    let id = wire
        .id
        .and_then(|id| serde_json::from_str::<Id<'_>>(id.get()).ok())
        .filter(|id| !matches!(id, Id::Null))
        .ok_or_else(|| Malformed::new(ErrorCode::InvalidRequest))?
        .into_owned();
    if wire.jsonrpc != "2.0" {
        return Err(Malformed {
            id,
            code: ErrorCode::InvalidRequest,
        });
    }
    let params = wire.params.map(RawValue::get);
    if params.is_some_and(|params| !params.starts_with('{') && params != "null") {
        return Err(Malformed {
            id,
            code: ErrorCode::InvalidParams,
        });
    }
    Ok(Request {
        id,
        method: wire.method,
        params: params.filter(|params| *params != "null"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Malformed {
        parse(line).err().unwrap()
    }

    #[test]
    fn a_request_has_an_id_a_method_and_named_parameters() {
        let line = r#"{"jsonrpc":"2.0","id":"a","method":"system.hello","params":{"client":"x"}}"#;
        let request = parse(line).ok().unwrap();
        assert_eq!(request.id, Id::Str("a".into()));
        assert_eq!(request.method, "system.hello");
        assert_eq!(request.params, Some(r#"{"client":"x"}"#));
        assert!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#).is_ok());
        assert!(parse(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#).is_ok());
    }

    #[test]
    fn what_is_not_a_request_is_refused_by_code() {
        for line in ["", "{", "nonsense", "{\"a\":1}x"] {
            assert_eq!(
                refused(line),
                Malformed::new(ErrorCode::ParseError),
                "{line}"
            );
        }
        for line in [
            "[]",
            "1",
            "{}",
            r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#,
            r#"{"jsonrpc":"2.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        ] {
            assert_eq!(refused(line).code, ErrorCode::InvalidRequest, "{line}");
        }
        let old = r#"{"jsonrpc":"1.0","id":4,"method":"m"}"#;
        assert_eq!(
            refused(old),
            Malformed {
                id: Id::Number(4),
                code: ErrorCode::InvalidRequest
            }
        );
        let positional = r#"{"jsonrpc":"2.0","id":4,"method":"m","params":[1]}"#;
        assert_eq!(refused(positional).code, ErrorCode::InvalidParams);
    }
}
