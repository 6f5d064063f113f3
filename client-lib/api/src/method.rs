//! One method of the contract, as a type.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::errors::ErrorCode;
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
    /// Its own errors, beside those that follow from who may call it and when: see [`errors_of`].
    const ERRORS: &'static [ErrorCode];
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    type Answer: Serialize + DeserializeOwned + JsonSchema + Clone + Send + 'static;
}

/// Every error that a method may answer with: what follows from who may call it and when, and its `own`.
pub fn errors_of(access: Access, needs: Needs, own: &[ErrorCode]) -> Vec<ErrorCode> {
    let mut codes = vec![
        ErrorCode::InvalidParams,
        ErrorCode::Timeout,
        // An answer that does not fit into a line.
        ErrorCode::TooLarge,
        ErrorCode::Internal,
    ];
    if access != Access::Anyone {
        codes.push(ErrorCode::Unauthenticated);
    }
    if matches!(access, Access::Scope(_)) {
        codes.push(ErrorCode::Forbidden);
    }
    if needs != Needs::Nothing {
        codes.extend([ErrorCode::NotEnrolled, ErrorCode::InstallationRevoked]);
    }
    if needs == Needs::Unlocked {
        codes.extend([
            ErrorCode::Locked,
            ErrorCode::StorageFull,
            ErrorCode::StorageFailed,
        ]);
    }
    let others: Vec<_> = own.iter().filter(|code| !codes.contains(code)).collect();
    codes.extend(others);
    codes
}

macro_rules! method {
    ($(#[doc = $summary:literal])+ $type:ident = $name:literal ($params:ty) -> $answer:ty, $access:expr, $needs:expr, [$($error:ident),*]) => {
        $(#[doc = $summary])+
        #[derive(Debug, Clone, Copy)]
        pub struct $type;

        impl $crate::method::Method for $type {
            const NAME: &'static str = $name;
            const SUMMARY: &'static str = concat!($($summary),+).trim_ascii_start();
            const ACCESS: $crate::method::Access = $access;
            const NEEDS: $crate::method::Needs = $needs;
            const ERRORS: &'static [$crate::errors::ErrorCode] = &[$($crate::errors::ErrorCode::$error),*];
            type Params = $params;
            type Answer = $answer;
        }
    };
}
pub(crate) use method;
