//! `connectctl cases …`

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod show;

use clap::{Args, Subcommand};

use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Args)]
pub(crate) struct Cases {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a case with colleagues.
    Create(create::Create),
    /// A case on one page: who is in it, its fields, and what was written last.
    Show(show::Show),
    /// All cases, the newest first.
    List(list::List),
    /// Set a field, on the revision that is shown unless another one is named.
    Set(set::Set),
    /// Every revision that a field ever had.
    History(history::History),
    /// Add a colleague, who reads the case from its start.
    Add(change::WithUser),
    /// Take somebody out: what is written from now on is sealed under another key.
    Remove(change::WithUser),
    /// Take part no more; what could be read stays here.
    Leave(change::Alone),
    /// Write a case in clear into a file, for the record system or as a page to read.
    Export(export::Export),
    /// End a case: it stays readable, and nothing is written into it any more.
    Close(change::Alone),
}

pub(crate) async fn run(args: Cases, context: &Context) -> Result<(), Error> {
    match args.command {
        Command::Create(args) => create::run(args, context).await,
        Command::Show(args) => show::run(args, context).await,
        Command::List(args) => list::run(args, context).await,
        Command::Set(args) => set::run(args, context).await,
        Command::History(args) => history::run(args, context).await,
        Command::Add(args) => change::add(args, context).await,
        Command::Remove(args) => change::remove(args, context).await,
        Command::Leave(args) => change::leave(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Close(args) => change::close(args, context).await,
    }
}

/// A case's id, also as `case:ID`, as conversations are named.
fn case_id(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("case:").unwrap_or(text);
    if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(id.to_ascii_lowercase())
    } else {
        Err("not a case's id: 32 digits of hex, as `connectctl cases list` shows them".into())
    }
}
