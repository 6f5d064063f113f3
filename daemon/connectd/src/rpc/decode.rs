//! From the text of parameters to their type, and from strings to ids: what does not fit is told without being quoted.

use std::str::FromStr;

use connect_api::conversation::Conversation as ApiConversation;
use connect_api::errors::Reason;
use connect_api::page;
use connect_proto::hash::Digest;
use connect_store::conversations::Conversation;
use serde::de::DeserializeOwned;

use crate::rpc::failure::Failure;

pub(crate) fn decode<T: DeserializeOwned>(params: Option<&str>) -> Result<T, Failure> {
    serde_json::from_str(params.unwrap_or("{}"))
        .map_err(|error| Failure::params(None, reason_of(&error)))
}

/// serde's texts begin alike; what follows may be the caller's data.
fn reason_of(error: &serde_json::Error) -> Reason {
    let text = error.to_string();
    if text.starts_with("missing field") {
        Reason::Missing
    } else if text.starts_with("unknown field") || text.starts_with("unknown variant") {
        Reason::Unknown
    } else if text.starts_with("invalid type") {
        Reason::WrongType
    } else {
        Reason::Malformed
    }
}

pub(crate) fn id<T: FromStr>(field: &'static str, text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::invalid(field, Reason::Malformed))
}

pub(crate) fn optional_id<T: FromStr>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, Failure> {
    text.map(|text| id(field, text)).transpose()
}

/// 64 digits of hex.
pub(crate) fn digest(field: &'static str, text: &str) -> Result<Digest, Failure> {
    let mut digest = Digest::default();
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| Failure::invalid(field, Reason::Malformed))?;
    Ok(digest)
}

pub(crate) fn conversation(named: &ApiConversation) -> Result<Conversation, Failure> {
    const FIELD: &str = "conversation";
    Ok(match named {
        ApiConversation::User(user) => Conversation::User(id(FIELD, user)?),
        ApiConversation::Group(group) => Conversation::Group(id(FIELD, group)?),
        ApiConversation::Case(case) => Conversation::Case(id(FIELD, case)?),
    })
}

pub(crate) fn limit(limit: Option<u32>) -> Result<u32, Failure> {
    match limit.unwrap_or(page::DEFAULT_LIMIT) {
        limit @ 1..=page::MAX_LIMIT => Ok(limit),
        _ => Err(Failure::invalid("limit", Reason::OutOfRange)),
    }
}

/// A page out of what was read: one item more than the page holds tells that there is another page.
pub(crate) fn paged<T>(mut items: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    (items, more)
}
