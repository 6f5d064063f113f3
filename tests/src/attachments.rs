//! Files as clients hand them to a daemon and fetch them from it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use connect_api::attachments::{
    AttachmentParams, AttachmentReason, BeginDownload, BeginDownloadParams, BeginUpload,
    BeginUploadParams, Get, Standing, Upload, Uploaded,
};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{AttachParams, Send, SendParams, Sent};
use connect_client::client::Client;
use connect_client::error::CallError;

use tokio::time::timeout;

use crate::apart::POLL;
use crate::world::{Person, World};

/// For what comes by and by.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Plaintext bytes of a chunk (D15).
pub const CHUNK: usize = 2_097_152;

/// Waits until it is so.
pub async fn soon(mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let looking = async {
        while !is_so().await? {
            tokio::time::sleep(POLL).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, looking).await?
}

/// Alice, and Bob as a contact of hers.
pub async fn friends(world: &World) -> Result<(Person, Person)> {
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    Ok((alice, bob))
}

/// Bytes that are others at every place, so that a chunk in another's place is seen; and say what they are, so that a disk
/// can be searched for them.
pub fn film(size: usize, canary: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 64);
    let mut number: u64 = 0;
    while bytes.len() < size {
        bytes.extend_from_slice(canary.as_bytes());
        bytes.extend_from_slice(&number.to_be_bytes());
        number += 1;
    }
    bytes.truncate(size);
    bytes
}

pub async fn announce(client: &Client, size: u64, filename: &str) -> Result<Upload, CallError> {
    let params = BeginUploadParams {
        size,
        media_type: "application/octet-stream".to_owned(),
        filename: filename.to_owned(),
    };
    client.call::<BeginUpload>(params).await
}

pub async fn upload(client: &Client, bytes: &[u8], filename: &str) -> Result<Uploaded, CallError> {
    let upload = announce(client, bytes.len() as u64, filename).await?;
    let mut stream = client.redeem(upload.ticket).await?;
    for piece in bytes.chunks(100_000) {
        stream.write(piece).await?;
    }
    stream.result().await
}

/// Names an upload in a message.
pub async fn name(
    client: &Client,
    to: Conversation,
    attachment_id: &str,
    caption: Option<&str>,
) -> Result<Sent, CallError> {
    let params = SendParams {
        conversation: to,
        text: None,
        attachment: Some(AttachParams {
            attachment_id: attachment_id.to_owned(),
            caption: caption.map(str::to_owned),
        }),
        reply_to: None,
        client_ref: None,
    };
    client.call::<Send>(params).await
}

/// Returns the ids of the message and of the attachment, which is the same on both sides.
pub async fn send(from: &Person, to: &Person, bytes: &[u8], name_it: &str) -> Result<[String; 2]> {
    let uploaded = upload(&from.client, bytes, name_it).await?;
    let id = uploaded.attachment_id;
    let sent = name(&from.client, to.conversation(), &id, None).await?;
    Ok([sent.message_id, id])
}

/// Sends a file into a case, and waits until it is at the relay. Returns the ids of the message and of the attachment.
pub async fn send_to_case(from: &Person, case: &str, bytes: &[u8]) -> Result<[String; 2]> {
    let uploaded = upload(&from.client, bytes, "film.dcm").await?;
    let to = Conversation::Case(case.to_owned());
    let id = uploaded.attachment_id;
    let sent = name(&from.client, to, &id, Some("the film")).await?;
    timeout(PATIENCE, from.has_all_of(&id)).await??;
    Ok([sent.message_id, id])
}

/// The bytes from `offset` on, once all of them are there and agree.
pub async fn download(client: &Client, id: &str, offset: u64) -> Result<Vec<u8>, CallError> {
    fetch(client, id, Some(offset), None).await
}

pub async fn thumbnail(client: &Client, id: &str) -> Result<Vec<u8>, CallError> {
    fetch(client, id, None, Some(true)).await
}

async fn fetch(
    client: &Client,
    id: &str,
    offset: Option<u64>,
    thumbnail: Option<bool>,
) -> Result<Vec<u8>, CallError> {
    let params = BeginDownloadParams {
        attachment_id: id.to_owned(),
        offset,
        thumbnail,
    };
    let download = client.call::<BeginDownload>(params).await?;
    let mut stream = client.redeem(download.ticket).await?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
    if bytes.len() as u64 == download.size {
        Ok(bytes)
    } else {
        Err(CallError::Disconnected)
    }
}

pub async fn standing(client: &Client, id: &str) -> Result<Standing, CallError> {
    let attachment_id = id.to_owned();
    client.call::<Get>(AttachmentParams { attachment_id }).await
}

impl Person {
    /// Waits until an attachment is here whole; or, of one's own, at the relay.
    pub async fn has_all_of(&self, id: &str) -> Result<()> {
        self.sees(
            |body| matches!(body, EventBody::AttachmentReady { attachment_id, .. } if attachment_id == id),
        )
        .await?;
        Ok(())
    }

    /// Waits until an attachment was given up, and tells why.
    pub async fn loses(&self, id: &str) -> Result<AttachmentReason> {
        let event = self
            .sees(|body| matches!(body, EventBody::AttachmentFailed { attachment_id, .. } if attachment_id == id))
            .await?;
        match event.body {
            EventBody::AttachmentFailed { reason, .. } => Ok(reason),
            _ => anyhow::bail!("another event"),
        }
    }
}

/// Every file below a directory that holds these bytes.
pub fn holding(below: &Path, bytes: &[u8]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in files(below)? {
        let content = std::fs::read(&path)?;
        let searched = aho_corasick::AhoCorasick::new([bytes])?;
        if searched.find(&content).is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Every file below a directory.
pub fn files(below: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(below) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The ciphertext files of a daemon.
pub fn kept(state_dir: &Path) -> Result<Vec<PathBuf>> {
    files(&state_dir.join("account").join("attachments"))
}
