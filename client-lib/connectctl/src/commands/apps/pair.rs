//! `connectctl apps pair`

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use connect_api::apps::{Create, CreateParams};
use connect_api::scope::Scope;
use connect_client::credentials::{Credentials, FILE_VARIABLE, VARIABLE};
use serde_json::json;

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// What people call it.
    name: String,
    /// What it may do; once for each scope.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope())]
    scopes: Vec<Scope>,
    /// The only user of this host who may use the token. Left out: everyone who reaches the socket.
    #[arg(long, value_name = "UID")]
    uid: Option<u32>,
    /// Write the token to this new file, which nobody else can read, and not to the terminal.
    #[arg(long, value_name = "FILE")]
    token_out: Option<PathBuf>,
}

fn scope() -> impl clap::builder::TypedValueParser<Value = Scope> {
    let names = Scope::ALL.map(Scope::name);
    PossibleValuesParser::new(names).map(|name| {
        let found = Scope::ALL.into_iter().find(|scope| scope.name() == name);
        found.expect("one of the possible values")
    })
}

pub(crate) async fn run(args: Pair, context: &Context) -> Result<(), Error> {
    // First: a token that cannot be written would be lost.
    let out = args.token_out.as_deref().map(create).transpose()?;
    let params = CreateParams {
        name: args.name,
        scopes: args.scopes,
        uid: args.uid,
    };
    let created = match context.call::<Create>(params).await {
        Ok(created) => created,
        Err(error) => {
            if let Some((path, _)) = &out {
                // Empty, and ours: it was made just now.
                std::fs::remove_file(path).ok();
            }
            return Err(error);
        }
    };
    let app_id = created.app_id.clone();
    let credentials = Credentials::new(created.app_id, created.token.into_inner());
    let Some((path, mut file)) = out else {
        let told = credentials.reveal();
        let answer =
            json!({"app_id": app_id, "token": told.split_once(':').map(|(_, token)| token)});
        context.out.note(&format!(
            "This is told once. Give it to the program as {VARIABLE}, or in a file as {FILE_VARIABLE}:"
        ));
        return context.out.answer(&answer, || told.as_str().to_owned());
    };
    write(path, &mut file, &credentials)?;
    let answer = json!({"app_id": app_id, "token_file": path.display().to_string()});
    context.out.answer(&answer, || {
        format!(
            "{app_id}\nIts token is in {}: {FILE_VARIABLE}",
            path.display()
        )
    })
}

fn create(path: &Path) -> Result<(&Path, File), Error> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path).map_err(|source| Error::Written {
        path: path.to_owned(),
        source,
    })?;
    Ok((path, file))
}

fn write(path: &Path, file: &mut File, credentials: &Credentials) -> Result<(), Error> {
    let written = file
        .write_all(credentials.reveal().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    written.map_err(|source| Error::Written {
        path: path.to_owned(),
        source,
    })
}
