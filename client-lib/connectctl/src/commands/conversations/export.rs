//! `connectctl conversations export`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use connect_api::bytes::{Moment, Ticket};
use connect_api::conversation::Conversation;
use connect_api::conversations::{ExportConversation, ExportFormat, ExportParams};
use connect_client::error::CallError;
use serde::Serialize;

use crate::commands::download;
use crate::context::Context;
use crate::error::Error;
use crate::{table, time};

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The conversation with this user.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The conversation of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

/// The same for whatever can be exported.
#[derive(Debug, Args)]
pub(crate) struct How {
    /// For the record system (FHIR R4, JSON), or for people.
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write. Left out: one that has the time in its name, in the current directory.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// Only what was written then or later: 2026-03-01, 2026-03-01T14:30 (local time), or with a zone 2026-03-01T14:30Z.
    #[arg(long, value_name = "TIME", value_parser = time::from)]
    from: Option<u64>,
    /// Only what was written before then; a day counts until it ends.
    #[arg(long, value_name = "TIME", value_parser = time::until)]
    to: Option<u64>,
    /// Put files into it that are here and have at most so many bytes, or all that are here. Left out: none.
    #[arg(long, value_name = "BYTES|all", value_parser = most)]
    files: Option<u64>,
}

/// More than any file has, and exact in every client's JSON.
const ANY_SIZE: u64 = (1 << 53) - 1;

fn most(text: &str) -> Result<u64, String> {
    if text == "all" {
        return Ok(ANY_SIZE);
    }
    let bytes = text.parse();
    bytes.map_err(|_| "neither a number of bytes nor \"all\"".into())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Fhir,
    Html,
}

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    media_type: String,
    size: u64,
    taken_at: Moment,
}

/// What the daemon has ready.
pub(crate) struct Ready {
    pub(crate) ticket: Ticket,
    pub(crate) media_type: String,
    pub(crate) filename: Option<String>,
}

pub(crate) async fn run(args: Export, context: &Context) -> Result<(), Error> {
    let conversation = match (args.whose.user, args.whose.group) {
        (Some(user), _) => Conversation::User(user),
        (None, Some(group)) => Conversation::Group(group),
        (None, None) => return Err(Error::Usage("whose: --user or --group".into())),
    };
    let params = ExportParams {
        conversation,
        format: args.how.format(),
        from_ms: args.how.from,
        to_ms: args.how.to,
        files_up_to_bytes: args.how.files,
    };
    args.how.check()?;
    let export = context.call::<ExportConversation>(params).await?;
    let ready = Ready {
        ticket: export.ticket,
        media_type: export.media_type,
        filename: export.filename,
    };
    save(&args.how, ready, context).await
}

impl How {
    pub(crate) const fn format(&self) -> ExportFormat {
        match self.format {
            Format::Fhir => ExportFormat::Fhir,
            Format::Html => ExportFormat::Html,
        }
    }

    pub(crate) const fn between(&self) -> (Option<u64>, Option<u64>) {
        (self.from, self.to)
    }

    pub(crate) const fn files(&self) -> Option<u64> {
        self.files
    }

    /// Before anything is asked of the daemon.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match &self.output {
            Some(file) if file.is_dir() => {
                Err(Error::Usage("it is a directory: name a file in it".into()))
            }
            Some(file) => download::check_free(file, self.force),
            None => Ok(()),
        }
    }
}

pub(crate) async fn save(how: &How, ready: Ready, context: &Context) -> Result<(), Error> {
    let file = match &how.output {
        Some(file) => file.clone(),
        None => suggested(ready.filename.as_deref())?,
    };
    download::check_free(&file, how.force)?;
    let stream = context.client.redeem(ready.ticket).await?;
    let begun = stream.begun().clone();
    let (Some(size), Some(taken_at)) = (begun.size, begun.taken_at) else {
        return Err(CallError::Protocol.into());
    };
    download::save(stream, size, (&file, how.force), ("exporting", context)).await?;
    let made = Made {
        file,
        media_type: ready.media_type,
        size,
        taken_at,
    };
    context.out.answer(&made, || {
        table::pairs(
            &context.out,
            &[
                ("file", made.file.display().to_string()),
                ("bytes", made.size.to_string()),
                ("as of", time::local(made.taken_at.at_ms)),
                ("up to event", made.taken_at.event_id.to_string()),
            ],
        )
    })?;
    context
        .out
        .note("The file is in clear: whoever can read it can read the conversation.");
    Ok(())
}

/// The daemon's suggestion is a name alone: it leads into no other directory, and hides nothing.
fn suggested(name: Option<&str>) -> Result<PathBuf, Error> {
    let is_plain = |name: &&str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !name.starts_with('.') && !name.is_empty() && name.chars().all(allowed)
    };
    name.filter(is_plain)
        .map(PathBuf::from)
        .ok_or_else(|| Error::Usage("say which file to write: -o FILE".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_a_plain_name() {
        let plain = "conversation-20260302T080211Z.html";
        assert_eq!(suggested(Some(plain)).unwrap(), PathBuf::from(plain));
        for name in [
            None,
            Some(""),
            Some("../x"),
            Some(".bashrc"),
            Some("a/b"),
            Some("a\nb"),
        ] {
            assert!(suggested(name).is_err(), "{name:?}");
        }
    }
}
