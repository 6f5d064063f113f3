//! PINs and codes: from a terminal without echo, or from a file, and never from the command line.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::account::EnrollmentCode;
use connect_api::session::Pin;
use connect_client::credentials::{Credentials, VARIABLE};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::input;
use crate::output::Output;

/// Where the PIN comes from.
#[derive(Debug, Args)]
pub(crate) struct PinSource {
    /// Read the PIN or passphrase from this file; - is standard input. Left out: you are asked for it.
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
}

/// Where an operator's code comes from.
#[derive(Args)]
pub(crate) struct CodeSource {
    /// The operator's code. It is good for one use.
    #[arg(
        long,
        value_name = "CODE",
        required_unless_present = "code_file",
        conflicts_with = "code_file"
    )]
    code: Option<String>,
    /// Read the code from this file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) code_file: Option<PathBuf>,
}

impl std::fmt::Debug for CodeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeSource(..)")
    }
}

impl CodeSource {
    pub(crate) fn read(self, out: &Output) -> Result<EnrollmentCode, Error> {
        let code = match (self.code, &self.code_file) {
            (Some(code), _) => code,
            (None, Some(path)) => from_file(out, path)?.as_str().to_owned(),
            (None, None) => {
                return Err(Error::Usage(
                    "the code is missing: --code or --code-file".into(),
                ));
            }
        };
        Ok(EnrollmentCode(code))
    }
}

impl PinSource {
    /// The PIN that was chosen before.
    pub(crate) fn read(&self, out: &Output) -> Result<Pin, Error> {
        match &self.pin_file {
            Some(path) => from_file(out, path).map(|pin| Pin::new(pin.as_str().to_owned())),
            None => ask("PIN or passphrase: "),
        }
    }

    /// A new PIN: typed twice, since nobody sees what is typed.
    pub(crate) fn choose(&self, out: &Output) -> Result<Pin, Error> {
        if self.pin_file.is_some() {
            return self.read(out);
        }
        let first = ask("New PIN or passphrase: ")?;
        let second = ask("Once more: ")?;
        if first != second {
            return Err(Error::Data("the two entries differ"));
        }
        Ok(first)
    }
}

/// A file that holds a secret and nothing else.
pub(crate) fn from_file(out: &Output, path: &Path) -> Result<Zeroizing<String>, Error> {
    let text = input::read(path)?;
    if is_readable_by_others(path) {
        out.warn(&format!("others can read {}: chmod 600 it", path.display()));
    }
    let secret = input::without_line_end(&text);
    if secret.is_empty() {
        return Err(Error::Data("the file is empty"));
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

/// What to show the daemon: from the file that was named, or else from the environment.
pub(crate) fn credentials(out: &Output, file: Option<&Path>) -> Result<Option<Credentials>, Error> {
    let told = match file {
        Some(path) => from_file(out, path)?,
        None => match std::env::var(VARIABLE) {
            Ok(told) => Zeroizing::new(told),
            Err(_) => return Ok(None),
        },
    };
    let read = told.parse().map(Some);
    read.map_err(|_| {
        Error::Data("the token is not one: ID:TOKEN, as connectctl apps pair writes it")
    })
}

pub(crate) fn ask(question: &str) -> Result<Pin, Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(
            "there is no terminal to ask for it: name a file, as --pin-file does".into(),
        ));
    }
    let pin = rpassword::prompt_password(question).map_err(|source| Error::File {
        path: "the terminal".into(),
        source,
    })?;
    if pin.is_empty() {
        return Err(Error::Data("nothing was entered"));
    }
    Ok(Pin::new(pin))
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // A pipe or a descriptor (`<(pass show …)`) is not lying around.
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::cli::Cli;

    fn out() -> Output {
        Output::new(
            &Cli::try_parse_from(["connectctl", "health"])
                .unwrap()
                .global,
        )
    }

    fn read(content: &[u8]) -> Result<Pin, Error> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        PinSource {
            pin_file: Some(file.path().to_owned()),
        }
        .read(&out())
    }

    #[test]
    fn a_pin_file_s_last_line_break_is_not_part_of_the_pin() {
        for content in ["12 345", "12 345\n", "12 345\r\n"] {
            assert_eq!(read(content.as_bytes()).unwrap().expose(), "12 345");
        }
    }

    #[test]
    fn a_pin_file_that_is_none_is_refused_without_its_content() {
        assert!(matches!(read(b"\n"), Err(Error::Data(_))));
        let error = read(b"\xff12345").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("12345"));
        let missing = PinSource {
            pin_file: Some("/nowhere/pin".into()),
        };
        assert!(matches!(missing.read(&out()), Err(Error::File { .. })));
    }

    #[test]
    fn a_token_file_holds_an_id_and_a_token_and_is_not_quoted_otherwise() {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(b"ab12:cd34\n").unwrap();
        let read = credentials(&out(), Some(file.path())).unwrap().unwrap();
        assert_eq!(*read.reveal(), "ab12:cd34");
        file.write_all(b"more").unwrap();
        let error = credentials(&out(), Some(file.path())).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("cd34"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let file = NamedTempFile::new().unwrap();
        assert!(!is_readable_by_others(file.path()));
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_readable_by_others(file.path()));
    }
}
