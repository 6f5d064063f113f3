//! `connectctl backup create`

use std::path::PathBuf;

use clap::Args;
use connect_api::backup::Begin;
use connect_api::bytes::Moment;
use connect_api::page::Nothing;
use connect_client::error::CallError;
use serde::Serialize;

use super::keep;
use crate::commands::download;
use crate::context::Context;
use crate::error::Error;
use crate::{table, time};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The file to write; with --keep, the directory to write it into.
    #[arg(value_name = "FILE")]
    target: PathBuf,
    /// Replace a file that is there.
    #[arg(long, conflicts_with = "keep")]
    force: bool,
    /// Write a file with the time in its name into the directory, and remove all but the newest N of these afterwards.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
}

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    size: u64,
    taken_at: Moment,
    removed: Vec<PathBuf>,
}

pub(crate) async fn run(args: Create, context: &Context) -> Result<(), Error> {
    if args.keep.is_none() && args.target.is_dir() {
        return Err(Error::Usage(
            "it is a directory: name a file, or say how many to keep in it (--keep N)".into(),
        ));
    }
    if args.keep.is_none() {
        download::check_free(&args.target, args.force)?;
    }
    let issued = context.call::<Begin>(Nothing {}).await?;
    let stream = context.client.redeem(issued.ticket).await?;
    let begun = stream.begun().clone();
    let (Some(size), Some(taken_at)) = (begun.size, begun.taken_at) else {
        return Err(CallError::Protocol.into());
    };
    let file = match args.keep {
        Some(_) => args.target.join(keep::name(taken_at)),
        None => args.target.clone(),
    };
    download::save(stream, size, (&file, args.force), ("backing up", context)).await?;
    let removed = match args.keep {
        Some(count) => keep::rotate(&args.target, count as usize)
            .map_err(|source| download::written(&args.target, source))?,
        None => Vec::new(),
    };
    let made = Made {
        file,
        size,
        taken_at,
        removed,
    };
    context.out.answer(&made, || {
        table::pairs(
            &context.out,
            &[
                ("file", made.file.display().to_string()),
                ("bytes", made.size.to_string()),
                ("taken", time::local(made.taken_at.at_ms)),
                ("up to event", made.taken_at.event_id.to_string()),
                ("removed", made.removed.len().to_string()),
            ],
        )
    })
}
