//! The operators' listener as HTTP: `POST /v1/orders`, `GET /healthz`, `GET /metrics`, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use connect_proto::hash::Digest;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::json;
use tokio::time::timeout;

use super::execute::{Execute, Executed, Who};
use super::metrics;
use super::order::Order;
use super::token::Token;
use crate::http::App;
use crate::refusal::{Refusal, Wrong};
use crate::store::writer::Nothing;

pub(crate) const ORDERS: &str = "/v1/orders";
pub(crate) const HEADER_OPERATOR: &str = "x-connect-operator";
const MAX_ORDER: usize = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// What the operators' listener works with.
#[derive(Debug)]
pub(crate) struct Office {
    pub(crate) app: Arc<App>,
    pub(crate) four_eyes: bool,
    /// The user that the relay runs as.
    pub(crate) own_uid: u32,
}

/// What is known of the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    Local(u32),
    /// SHA-256 of the client certificate.
    Certificate(Digest),
}

pub(crate) fn router(office: Arc<Office>) -> Router {
    Router::new()
        .route(ORDERS, post(order))
        .route("/healthz", get(healthz))
        .route("/metrics", get(show_metrics))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .with_state(office)
}

async fn order(
    State(office): State<Arc<Office>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let who = who(office.own_uid, peer, &parts.headers)?;
    if !matches!(who, Who::Host) {
        office.app.throttle.admit_order()?;
    }
    let execute = Execute {
        who,
        order: read(body).await?,
        four_eyes: office.four_eyes,
        news: office.app.news(),
    };
    let word = execute.order.word();
    let executed = office.app.store.change(None, execute).await?;
    if let Some(head) = &executed.head {
        // Whoever keeps this log elsewhere keeps the head of the operators' log too.
        tracing::info!(order = word, entry = head.seq, head = %head.digest, "an operator's order");
    }
    Ok(answer(&executed))
}

async fn read(body: Body) -> Result<Order, Refusal> {
    let body = timeout(PATIENCE, axum::body::to_bytes(body, MAX_ORDER)).await;
    let body = body.map_err(|_| Refusal::TooSlow)?;
    let body = body.map_err(|_| Refusal::TooLarge)?;
    Ok(serde_json::from_slice(&body).map_err(|_| Wrong::Malformed)?)
}

fn answer(executed: &Executed) -> Response {
    let (status, body) = match &executed.result {
        Ok(result) => (
            StatusCode::OK,
            json!({ "result": result, "log": executed.head }),
        ),
        Err(refused) => (
            refused.status(),
            json!({ "refused": refused.to_string(), "hint": refused.hint(), "log": executed.head }),
        ),
    };
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

/// A named credential counts for what it may, whoever shows it.
fn who(own_uid: u32, peer: Peer, headers: &HeaderMap) -> Result<Who, Wrong> {
    if let Some(name) = headers.get(HEADER_OPERATOR) {
        let name = name.to_str().map_err(|_| Wrong::Malformed)?;
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = Token::from_text(token.ok_or(Wrong::Malformed)?);
        let name = name.parse().map_err(|_| Wrong::Malformed)?;
        return Ok(Who::Token(name, token.digest()));
    }
    Ok(match peer {
        Peer::Local(uid) if uid == 0 || uid == own_uid => Who::Host,
        Peer::Local(uid) => Who::Stranger(uid),
        Peer::Certificate(digest) => Who::Certificate(digest),
    })
}

/// Whether a change can be made durable, and read back.
async fn healthz(State(office): State<Arc<Office>>) -> Result<&'static str, Refusal> {
    office.app.store.change(None, Nothing).await?;
    metrics::read(&office.app).await?;
    Ok("ok\n")
}

async fn show_metrics(State(office): State<Arc<Office>>) -> Result<Response, Refusal> {
    let text = metrics::text(&office.app).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_relays_own_user_and_root_are_the_host() {
        let none = HeaderMap::new();
        let of = |peer| who(7, peer, &none).unwrap();
        assert!(matches!(of(Peer::Local(7)), Who::Host));
        assert!(matches!(of(Peer::Local(0)), Who::Host));
        assert!(matches!(of(Peer::Local(8)), Who::Stranger(8)));
        assert!(matches!(
            of(Peer::Certificate([1; 32])),
            Who::Certificate(_)
        ));
    }

    #[test]
    fn who_names_a_credential_is_no_longer_the_host() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_OPERATOR, "rosa".parse().unwrap());
        let host = Peer::Local(7);
        assert!(who(7, host, &headers).is_err(), "without a token");
        headers.insert(AUTHORIZATION, "Bearer x".parse().unwrap());
        assert!(matches!(who(7, host, &headers), Ok(Who::Token(..))));
        headers.insert(HEADER_OPERATOR, "host".parse().unwrap());
        assert!(who(7, host, &headers).is_err(), "a name of the log's own");
    }
}
