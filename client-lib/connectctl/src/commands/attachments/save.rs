//! `connectctl attachments save`

use std::path::{Path, PathBuf};

use clap::Args;
use connect_api::attachments::{BeginDownload, BeginDownloadParams, Download};
use connect_client::error::CallError;
use serde::Serialize;

use super::bytes;
use crate::commands::download;
use crate::context::Context;
use crate::error::Error;
use crate::table;

#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The attachment's id.
    #[arg(value_name = "ID")]
    attachment_id: String,
    /// The file to write, or a directory to write it into under a safe form of its sender's name; here when left out.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// The small picture of it instead of itself.
    #[arg(long)]
    thumbnail: bool,
}

#[derive(Serialize)]
struct Saved {
    file: PathBuf,
    size: u64,
    media_type: String,
}

pub(crate) async fn run(args: Save, context: &Context) -> Result<(), Error> {
    let params = BeginDownloadParams {
        attachment_id: args.attachment_id,
        offset: None,
        thumbnail: args.thumbnail.then_some(true),
    };
    let download = context.call::<BeginDownload>(params).await?;
    let file = target(args.path.as_deref(), &download)?;
    download::check_free(&file, args.force)?;
    let size = download.size;
    let stream = context.client.redeem(download.ticket).await?;
    download::save(stream, size, (&file, args.force), ("saving", context)).await?;
    let saved = Saved {
        file,
        size,
        media_type: download.media_type,
    };
    context.out.answer(&saved, || {
        table::pairs(
            &context.out,
            &[
                ("file", saved.file.display().to_string()),
                ("size", bytes(saved.size)),
            ],
        )
    })
}

/// A name of the daemon's making never leads out of the directory; it is looked at again all the same.
fn target(path: Option<&Path>, download: &Download) -> Result<PathBuf, Error> {
    let name = download.safe_name.as_str();
    let directory = match path {
        Some(path) if !path.is_dir() => return Ok(path.to_owned()),
        Some(directory) => directory,
        None => Path::new("."),
    };
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0']);
    if !is_name {
        return Err(CallError::Protocol.into());
    }
    Ok(directory.join(name))
}
