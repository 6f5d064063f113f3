//! The calls about the caller's own entry in the directory, and the search in it.

use bytes::Bytes;
use connect_proto::{codec, routes, wire};
use rand_core::CryptoRngCore;
use reqwest::StatusCode;

use crate::body;
use crate::error::UplinkError;
use crate::uplink::{CALL_TIMEOUT, Credentials, MAX_ENTRIES, Uplink, decoded, refused};

#[derive(Debug)]
pub enum RotateOutcome {
    /// The bundle is the newest one, now or since an earlier call.
    Rotated(wire::DirectoryEntry),
    /// It does not follow on the newest one, or its signatures are not as they should be.
    Refused,
}

impl Uplink {
    /// What the directory knows of people whose name, profession or organisation is like that (§10.4).
    pub async fn search(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        query: &str,
        limit: u32,
    ) -> Result<Vec<wire::DirectoryEntry>, UplinkError> {
        let request = wire::SearchRequest {
            query: query.to_owned(),
            limit,
        };
        let body = Bytes::from(codec::encode(&request));
        let response = self
            .post(credentials, now_ms, rng, routes::SEARCH, body, CALL_TIMEOUT)
            .await?;
        let answer: wire::DirectoryEntries = decoded(response, MAX_ENTRIES).await?;
        if answer.entries.len() > routes::MAX_SEARCH {
            return Err(UplinkError::BadAnswer);
        }
        Ok(answer.entries)
    }

    /// Replaces the caller's profile; it has to be attested anew (§10.5).
    pub async fn put_profile(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        profile: &wire::Profile,
    ) -> Result<wire::DirectoryEntry, UplinkError> {
        let body = Bytes::from(codec::encode(profile));
        let path = routes::PROFILE;
        let response = self
            .post(credentials, now_ms, rng, path, body, CALL_TIMEOUT)
            .await?;
        decoded(response, MAX_ENTRIES).await
    }

    /// Puts the next bundle in force (§5.1). The very same one may be posted again where the answer was lost.
    pub async fn rotate(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        next: &wire::SignedKeyBundle,
    ) -> Result<RotateOutcome, UplinkError> {
        let body = Bytes::from(codec::encode(next));
        let response = self
            .post(credentials, now_ms, rng, routes::KEYS, body, CALL_TIMEOUT)
            .await?;
        match response.status() {
            StatusCode::OK => {
                let answer = body::read(response, MAX_ENTRIES).await?;
                let entry = codec::decode(&answer).map_err(|_| UplinkError::BadAnswer)?;
                Ok(RotateOutcome::Rotated(entry))
            }
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Ok(RotateOutcome::Refused),
            _ => Err(refused(&response)),
        }
    }

    /// Takes the caller out of the directory: keys revoked, mailbox emptied.
    pub async fn delete_account(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), UplinkError> {
        let path = routes::DELETE_ACCOUNT;
        let response = self
            .post(credentials, now_ms, rng, path, Bytes::new(), CALL_TIMEOUT)
            .await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(refused(&response)),
        }
    }
}
