//! Hands a file to the daemon, for a message to name: `connectctl send --attach`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use connect_api::attachments::{
    AttachmentParams, AttachmentState, BeginUpload, BeginUploadParams, Get, Uploaded,
};

use crate::context::Context;
use crate::error::Error;
use crate::progress::Progress;

/// Bytes that are written at a time.
const PIECE: usize = 256 << 10;
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// What is known by a name's ending; everything else is just bytes.
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("dcm", "application/dicom"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("txt", "text/plain"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

pub(crate) async fn send(
    path: &Path,
    media_type: Option<String>,
    context: &Context,
) -> Result<Uploaded, Error> {
    let (mut file, size) = open(path).map_err(|source| unreadable(path, source))?;
    let name = path.file_name().map(|name| name.to_string_lossy());
    let params = BeginUploadParams {
        size,
        media_type: media_type.unwrap_or_else(|| guess(path).to_owned()),
        filename: name.unwrap_or_default().into_owned(),
    };
    let upload = context.call::<BeginUpload>(params).await?;
    let mut stream = context.client.redeem(upload.ticket).await?;
    let progress = Progress::new(&context.out, "sealing", size);
    let mut left = size;
    let mut bytes = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let read = file
            .read(&mut bytes[..most])
            .map_err(|source| unreadable(path, source))?;
        if read == 0 {
            return Err(unreadable(path, io::ErrorKind::UnexpectedEof.into()));
        }
        stream.write(&bytes[..read]).await?;
        left -= read as u64;
        progress.advance(read as u64);
    }
    progress.done();
    Ok(stream.result().await?)
}

/// Shows how it gets to the relay, until it is there or does not go on.
pub(crate) async fn follow(attachment_id: &str, context: &Context) -> Result<(), Error> {
    let mut progress = None;
    loop {
        let params = AttachmentParams {
            attachment_id: attachment_id.to_owned(),
        };
        let found = context.call::<Get>(params).await?;
        if found.attachment.state != AttachmentState::Uploading {
            if let Some(progress) = progress {
                Progress::done(&progress);
            }
            return Ok(());
        }
        progress
            .get_or_insert_with(|| Progress::new(&context.out, "sending", found.attachment.size))
            .reach(found.transferred);
        tokio::time::sleep(LOOK).await;
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((file, found.len()))
}

fn guess(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    MEDIA_TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map_or("application/octet-stream", |(_, media_type)| media_type)
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        source,
    }
}
