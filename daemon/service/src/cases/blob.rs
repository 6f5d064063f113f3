//! Bytes that travel as an attachment without being one to show: sealed, brought to the relay and fetched in one go (D15, D16).

use std::sync::Arc;

use bytes::Bytes;
use connect_core::attachment::{
    Attachment, CHUNK, RunningDigest, chunk_count, open_chunk, seal_chunk, sealed_chunk_len,
    sealed_size,
};
use connect_core::secret::AttachmentKey;
use connect_proto::ids::{AttachmentId, UserId};
use connect_proto::wire;
use connect_store::attachments::transfers;
use connect_uplink::attachments::AttachmentOutcome;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// More than a hundred thousand entries; it is held in memory.
const MOST: u64 = 256 << 20;
/// How soon it is tried again where the relay has no room and does not say.
const NO_ROOM_MS: u64 = 60_000;
const MEDIA_TYPE: &str = "application/octet-stream";
const NAME: &str = "history";

/// Brings bytes to these readers. Each time under a key of its own: nothing is sealed twice. What does not get there whole leaves
/// nothing at the relay.
pub(super) async fn put(
    unlocked: &Arc<Unlocked>,
    bytes: &[u8],
    readers: &[UserId],
) -> Result<Attachment, Error> {
    let size = bytes.len() as u64;
    let count = chunk_count(size).filter(|_| size <= MOST);
    let count = count.ok_or(Error::TooLarge)?;
    let mut chance = unlocked.chance.clone();
    let id = AttachmentId::random(&mut chance);
    let create = wire::CreateAttachment {
        attachment_id: id.to_vec(),
        ciphertext_size: sealed_size(size, count),
        chunk_count: count,
        reader_ids: readers.iter().map(UserId::to_string).collect(),
    };
    let (me, now_ms) = (unlocked.me(), unlocked.clock.now_ms());
    let uplink = &unlocked.uplink;
    let created = uplink.create_attachment(me.credentials(), now_ms, &mut chance, &create);
    done(created.await?)?;
    let filled = fill(unlocked, id, count, bytes).await;
    if filled.is_err() {
        let mut journal = Journal::begin(unlocked).await?;
        transfers::ask_for_removal(journal.tx(), id).await?;
        journal.afterwards(|unlocked| unlocked.transfers.wake());
        journal.commit().await?;
    }
    filled
}

async fn fill(
    unlocked: &Unlocked,
    id: AttachmentId,
    count: u32,
    bytes: &[u8],
) -> Result<Attachment, Error> {
    let (me, uplink) = (unlocked.me(), &unlocked.uplink);
    let mut chance = unlocked.chance.clone();
    let key = AttachmentKey::generate(&mut chance);
    let mut digest = RunningDigest::default();
    for index in 1..=count {
        let begin = (index as usize - 1) * CHUNK;
        let end = bytes.len().min(begin + CHUNK);
        let sealed = Bytes::from(seal_chunk(&key, index, &bytes[begin..end]));
        digest.update(&sealed);
        let now_ms = unlocked.clock.now_ms();
        let put = uplink.put_chunk(me.credentials(), now_ms, &mut chance, id, index, sealed);
        done(put.await?)?;
    }
    Ok(Attachment {
        id,
        key: Arc::new(key),
        chunk_count: count,
        plaintext_size: bytes.len() as u64,
        ciphertext_digest: digest.finish(),
        media_type: MEDIA_TYPE.to_owned(),
        filename: NAME.to_owned(),
        caption: String::new(),
        thumbnail: Vec::new(),
    })
}

fn done(outcome: AttachmentOutcome) -> Result<(), Error> {
    match outcome {
        AttachmentOutcome::Done => Ok(()),
        AttachmentOutcome::QuotaFull { retry_after_ms } => Err(Error::RateLimited {
            retry_after_ms: retry_after_ms.unwrap_or(NO_ROOM_MS),
        }),
        _ => Err(Error::RelayRefused),
    }
}

/// What somebody put there. None where it is there no more, or not what its sender said it is: trying again changes nothing.
pub(super) async fn get(
    unlocked: &Arc<Unlocked>,
    said: &Attachment,
) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    if said.plaintext_size > MOST {
        return Ok(None);
    }
    let mut chance = unlocked.chance.clone();
    let mut digest = RunningDigest::default();
    let mut bytes = Zeroizing::new(Vec::new());
    for index in 1..=said.chunk_count {
        let (me, now_ms) = (unlocked.me(), unlocked.clock.now_ms());
        let got = unlocked
            .uplink
            .get_chunk(me.credentials(), now_ms, &mut chance, said.id, index);
        let Some(sealed) = got.await? else {
            return Ok(None);
        };
        if sealed_chunk_len(said.plaintext_size, index) != Some(sealed.len()) {
            return Ok(None);
        }
        digest.update(&sealed);
        match open_chunk(&said.key, index, &sealed) {
            Ok(opened) => bytes.extend_from_slice(&opened),
            Err(_) => return Ok(None),
        }
    }
    let is_whole = digest.finish() == said.ciphertext_digest;
    Ok(is_whole.then_some(bytes))
}
