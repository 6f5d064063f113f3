//! What a paired app shows to be let in: its id and its token, from a file or the environment, never from the command line.

use std::fmt;
use std::str::FromStr;

use connect_api::apps::AppToken;
use connect_api::session::AuthenticateParams;
use zeroize::Zeroizing;

/// The environment variable that holds an app's id and token, `ID:TOKEN`.
pub const VARIABLE: &str = "CONNECTD_TOKEN";
/// The environment variable that names a file with the same content.
pub const FILE_VARIABLE: &str = "CONNECTD_TOKEN_FILE";

/// An app's id and its token. They are wiped on drop and in no `Debug` output.
#[derive(Clone)]
pub struct Credentials {
    app_id: String,
    token: Zeroizing<String>,
}

/// It is not `ID:TOKEN`. What it is instead is not quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an app's id and token, ID:TOKEN")]
pub struct MalformedCredentials;

impl Credentials {
    pub fn new(app_id: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            app_id: app_id.into(),
            token: Zeroizing::new(token.into()),
        }
    }

    /// `ID:TOKEN`, as files and the environment have it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}:{}", self.app_id, *self.token))
    }

    /// The caller wipes the token.
    pub(crate) fn params(&self) -> AuthenticateParams {
        AuthenticateParams {
            app_id: self.app_id.clone(),
            token: AppToken::new(self.token.as_str().to_owned()),
        }
    }
}

impl FromStr for Credentials {
    type Err = MalformedCredentials;

    /// White space around it, such as a line break, does not count.
    fn from_str(text: &str) -> Result<Self, MalformedCredentials> {
        let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_hexdigit());
        match text.trim().split_once(':') {
            Some((app_id, token)) if is_hex(app_id) && is_hex(token) => {
                Ok(Self::new(app_id, token))
            }
            _ => Err(MalformedCredentials),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_token_are_read_as_they_are_written() {
        let read: Credentials = " ab12:cd34\r\n".parse().unwrap();
        assert_eq!(*read.reveal(), "ab12:cd34");
        assert_eq!(format!("{read:?}"), "Credentials(..)");
        for wrong in [
            "",
            "ab12",
            "ab12:",
            ":cd34",
            "ab12:cd34:ef",
            "x:cd34",
            "ab12:cd 34",
        ] {
            assert_eq!(
                wrong.parse::<Credentials>().unwrap_err(),
                MalformedCredentials
            );
        }
    }
}
