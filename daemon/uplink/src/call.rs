//! One call on its way: signed (D8), bounded in time, and made once more where only our clock was wrong (D30).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::request::{self, Call, Caller, NONCE_LEN};
use connect_proto::{codec, routes, wire};
use rand_core::CryptoRngCore;
use reqwest::{Method, Response, StatusCode, header};

use crate::body;
use crate::error::UplinkError;
use crate::offset::Skew;
use crate::tls::classify;
use crate::uplink::{Credentials, Uplink, is_protobuf};

/// A contact update is about 200 bytes.
const MAX_DISMISSAL: usize = 4 << 10;
const BUILD_NUMBER: u32 = 1;

/// One call as it goes out.
pub(crate) struct Outbound<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    /// Of the body, where the call has one.
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Bytes,
    pub(crate) limit: Duration,
}

impl Uplink {
    /// Posts a protobuf body.
    pub(crate) async fn post(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        path: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Response, UplinkError> {
        let request = Outbound {
            method: Method::POST,
            path,
            content_type: Some(routes::CONTENT_TYPE),
            body,
            limit,
        };
        self.call(credentials, now_ms, rng, request).await
    }

    /// Signs and sends. A refusal of the signature may say what has become of its key.
    pub(crate) async fn call(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        request: Outbound<'_>,
    ) -> Result<Response, UplinkError> {
        let response = self
            .call_in_time(credentials, now_ms, rng, &request)
            .await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.note_dismissal(response).await;
            return Err(UplinkError::Unauthorized);
        }
        Ok(response)
    }

    async fn note_dismissal(&self, response: Response) {
        if is_protobuf(&response)
            && let Ok(body) = body::read(response, MAX_DISMISSAL).await
            && let Ok(update) = codec::decode::<wire::ContactUpdate>(&body)
        {
            self.0.dismissal.send_replace(Some(Arc::new(update)));
        }
    }

    /// Once more with the relay's time where ours was the reason to refuse.
    async fn call_in_time(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        request: &Outbound<'_>,
    ) -> Result<Response, UplinkError> {
        let digest = sha256(&request.body);
        let signature = self.sign(credentials, now_ms, rng, request, &digest);
        let response = self
            .transmit(credentials.user_id, &signature, request)
            .await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let date = response.headers().get(header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).unwrap_or_default();
        match self.0.offset.follow(date, now_ms) {
            Skew::None => Ok(response),
            Skew::TooFar => Err(UplinkError::ClockSkew),
            Skew::Followed => {
                let signature = self.sign(credentials, now_ms, rng, request, &digest);
                self.transmit(credentials.user_id, &signature, request)
                    .await
            }
        }
    }

    fn sign(
        &self,
        credentials: Credentials<'_>,
        now_ms: u64,
        rng: &mut impl CryptoRngCore,
        request: &Outbound<'_>,
        body_sha256: &Digest,
    ) -> String {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let call = Call {
            method: request.method.as_str(),
            authority: &self.0.authority,
            path: request.path,
            body_sha256,
        };
        let caller = Caller {
            user_id: credentials.user_id,
            timestamp_ms: self.0.offset.apply(now_ms),
            nonce,
            client_type: &self.0.client_type,
            build_number: BUILD_NUMBER,
        };
        request::sign(call, caller, credentials.sign_key)
    }

    async fn transmit(
        &self,
        user_id: &UserId,
        signature: &str,
        request: &Outbound<'_>,
    ) -> Result<Response, UplinkError> {
        let mut url = self.0.base.clone();
        url.set_path(request.path);
        let mut builder = self
            .0
            .client
            .request(request.method.clone(), url)
            .header(routes::HEADER_USER, user_id.as_str())
            .header(routes::HEADER_SIGNATURE, signature)
            .timeout(request.limit);
        if let Some(content_type) = request.content_type {
            builder = builder
                .header(header::CONTENT_TYPE, content_type)
                .body(request.body.clone());
        }
        builder.send().await.map_err(|error| classify(&error))
    }
}
