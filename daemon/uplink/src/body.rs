//! Reading an answer, never more of it than it may be.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use crate::error::UplinkError;
use crate::tls::classify;

pub(crate) async fn read(mut response: Response, max: usize) -> Result<Bytes, UplinkError> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(UplinkError::BadAnswer);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len() + chunk.len() > max {
            return Err(UplinkError::BadAnswer);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
