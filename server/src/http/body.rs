//! Reads a request's body: bounded in size and in time, and all of them together in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use connect_proto::routes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::App;
use crate::refusal::{Refusal, Wrong};

/// Room for what is held of bodies, by the byte.
#[derive(Debug, Clone)]
pub(crate) struct Bodies(Arc<Semaphore>);

/// What one body takes of it; free again when dropped.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Bodies,
    room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    pub(super) fn hold(&self, bytes: usize) -> Result<Held, Refusal> {
        let mut held = Held {
            bodies: self.clone(),
            room: None,
        };
        held.grow(bytes)?;
        Ok(held)
    }
}

impl Held {
    /// As it arrives, not as it is announced: else promises alone would take all the room.
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::TooLarge)?;
        let more = Arc::clone(&self.bodies.0)
            .try_acquire_many_owned(bytes)
            .map_err(|_| Refusal::BUSY)?;
        match &mut self.room {
            Some(room) => room.merge(more),
            None => self.room = Some(more),
        }
        Ok(())
    }
}

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    bodies: &'a Bodies,
    within: Duration,
    max_bytes: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn call(app: &'a App, max_bytes: usize) -> Self {
        Self {
            bodies: &app.bodies,
            within: Duration::from_secs(app.limits.body_seconds),
            max_bytes,
        }
    }

    pub(super) fn chunk(app: &'a App) -> Self {
        Self {
            bodies: &app.transfers.room,
            within: app.transfers.within,
            max_bytes: routes::CHUNK_CIPHERTEXT,
        }
    }
}

/// The whole body. What says that it is too long is refused unread.
pub(super) async fn read(
    reading: Reading<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Held), Refusal> {
    let Reading {
        bodies,
        within,
        max_bytes,
    } = reading;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(Refusal::TooLarge);
    }
    let held = bodies.hold(0)?;
    timeout(within, collect(body, max_bytes, held))
        .await
        .map_err(|_| Refusal::TooSlow)?
}

async fn collect(
    mut body: Body,
    max_bytes: usize,
    mut held: Held,
) -> Result<(Bytes, Held), Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Wrong::Malformed)?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if whole.len() + part.len() > max_bytes {
            return Err(Refusal::TooLarge);
        }
        held.grow(part.len())?;
        whole.extend_from_slice(&part);
    }
    Ok((whole.freeze(), held))
}
