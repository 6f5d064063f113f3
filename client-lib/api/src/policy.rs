//! `policy.*`: what the account's owner has settled.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::Nothing;
use crate::scope::Scope;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// Messages that were stored longer ago are removed; null: they are kept for good.
    pub retention_days: Option<u32>,
    /// Whether others are told that something is being written. False unless it was set.
    pub typing: bool,
    /// Whether others are told that something was read. True unless it was set.
    pub read_receipts: bool,
    /// Attachments of at most so many bytes are fetched as they come: 0: none are, null: all are. 16 MiB unless it was set.
    pub download_up_to_bytes: Option<u64>,
    /// Bytes of attachments that may lie here. 10 GiB unless it was set.
    pub attachments_quota_bytes: u64,
}

/// What is left out stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetParams {
    /// 1 to 36,500; null keeps messages for good.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "given"
    )]
    pub retention_days: Option<Option<u32>>,
    /// Whether others are told that something is being written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub typing: Option<bool>,
    /// Whether others are told that something was read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_receipts: Option<bool>,
    /// 0: no attachment is fetched as it comes; null: all are.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "given"
    )]
    pub download_up_to_bytes: Option<Option<u64>>,
    /// Bytes of attachments that may lie here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attachments_quota_bytes: Option<u64>,
}

#[expect(
    clippy::option_option,
    reason = "left out, null and a number are three things"
)]
/// Tells null from what was left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    value: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

method! {
    /// What the account's owner has settled.
    Get = "policy.get"(Nothing) -> Policy, Access::Authenticated, Needs::Unlocked, []
}
method! {
    /// Settles it anew, and answers with the whole of it.
    Set = "policy.set"(SetParams) -> Policy, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_the_same_as_left_out() {
        let read = |json: &str| serde_json::from_str::<SetParams>(json).unwrap();
        assert_eq!(read("{}").retention_days, None);
        assert_eq!(
            read(r#"{"retention_days":null}"#).retention_days,
            Some(None)
        );
        assert_eq!(
            read(r#"{"retention_days":3}"#).retention_days,
            Some(Some(3))
        );
        for params in [
            "{}",
            r#"{"retention_days":null}"#,
            r#"{"retention_days":3}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(params)).unwrap(), params);
        }
    }
}
