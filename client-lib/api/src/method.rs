//! One method of the contract, as a type.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::scope::Scope;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every peer, before it has said who it is.
    Anyone,
    /// Every peer that is the owner or has presented a token.
    Authenticated,
    /// The owner, or an app that holds this scope.
    Scope(Scope),
}

/// The state that the daemon must be in for a method to do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// An account exists; its keys may be locked.
    Enrolled,
    /// The keys are in memory.
    Unlocked,
}

/// A method of the contract.
pub trait Method: 'static {
    /// As it stands in `method`, e.g. `messages.send`.
    const NAME: &'static str;
    /// One sentence for the OpenRPC document.
    const SUMMARY: &'static str;
    const ACCESS: Access;
    const NEEDS: Needs;
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    type Answer: Serialize + DeserializeOwned + JsonSchema + Clone + Send + 'static;
}

macro_rules! method {
    ($(#[doc = $summary:literal])+ $type:ident = $name:literal ($params:ty) -> $answer:ty, $access:expr, $needs:expr) => {
        $(#[doc = $summary])+
        #[derive(Debug, Clone, Copy)]
        pub struct $type;

        impl $crate::method::Method for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = concat!($($summary),+).trim_ascii_start();
            const ACCESS: $crate::method::Access = $access;
            const NEEDS: $crate::method::Needs = $needs;
            type Params = $params;
            type Answer = $answer;
        }
    };
}
pub(crate) use method;
