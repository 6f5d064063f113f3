//! What a paired app shows to be let in: its id and its token, from a file or the environment, never from the command line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, fmt};

use connect_api::apps::AppToken;
use connect_api::session::AuthenticateParams;
use zeroize::Zeroizing;

/// The environment variable that holds an app's id and token, `ID:TOKEN`.
pub const VARIABLE: &str = "CONNECTD_TOKEN";
/// The environment variable that names a file with the same content.
pub const FILE_VARIABLE: &str = "CONNECTD_TOKEN_FILE";

/// Longer than every file of this kind.
const LONGEST: u64 = 1024;

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

/// The environment names credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Malformed(#[from] MalformedCredentials),
}

impl Credentials {
    /// What the environment gives: the file that [`FILE_VARIABLE`] names, or else [`VARIABLE`] itself. None where neither
    /// is there: the program is whoever it runs as.
    pub fn from_environment() -> Result<Option<Self>, EnvironmentError> {
        let file = env::var_os(FILE_VARIABLE).map(PathBuf::from);
        Self::of(file.as_deref(), env::var(VARIABLE).ok().map(Zeroizing::new))
    }

    fn of(
        file: Option<&Path>,
        told: Option<Zeroizing<String>>,
    ) -> Result<Option<Self>, EnvironmentError> {
        let told = match file {
            Some(path) => Some(read(path).map_err(|error| EnvironmentError::Unreadable {
                path: path.to_owned(),
                error,
            })?),
            None => told,
        };
        Ok(told.map(|told| told.parse()).transpose()?)
    }

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

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    // All of it fits, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(2048));
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
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

    #[test]
    fn the_file_comes_before_the_variable_and_neither_is_nobody() {
        let told = || Some(Zeroizing::new("ab:01".to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "cd:02\n").unwrap();
        let found = |file, told| Credentials::of(file, told).map(|found| found.map(|c| c.reveal()));
        let shown = found(Some(&file), told()).unwrap().unwrap();
        assert_eq!(*shown, "cd:02");
        assert_eq!(*found(None, told()).unwrap().unwrap(), "ab:01");
        assert!(found(None, None).unwrap().is_none());
        let missing = folder.path().join("missing");
        let error = found(Some(&missing), told()).unwrap_err();
        assert!(matches!(error, EnvironmentError::Unreadable { .. }));
        std::fs::write(&file, "cd02").unwrap();
        let error = found(Some(&file), None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("cd02"));
    }
}
