//! The public API: one endpoint per file, and what they have in common.

mod attachment_paths;
mod authenticate;
mod body;
mod create_attachment;
mod delete_account;
mod delete_attachment;
mod enroll;
mod get_chunk;
mod keys;
mod list;
mod lookup;
mod profile;
mod put_chunk;
mod receive;
mod search;
mod send;
mod throttle;
mod transfers;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, post, put};
use connect_proto::routes;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, DATE};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::authorities::Authorities;
use crate::chunks::Chunks;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::secret::RelaySecret;
use crate::store::Store;
use crate::store::news::News;
use crate::wakes::Wakes;
pub(crate) use body::Bodies;
pub(crate) use throttle::Throttle;
pub(crate) use transfers::Transfers;

/// What the endpoints work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) authorities: Authorities,
    pub(crate) bodies: Bodies,
    pub(crate) chunks: Chunks,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) limits: Limits,
    /// Rung when chunks are to be removed.
    pub(crate) removals: Notify,
    pub(crate) secret: Arc<RelaySecret>,
    pub(crate) store: Store,
    pub(crate) throttle: Throttle,
    pub(crate) transfers: Transfers,
    pub(crate) wakes: Wakes,
    pub(crate) sweeping: tokio::sync::Mutex<()>,
    /// Long polls end with it.
    pub(crate) stopping: CancellationToken,
}

impl App {
    /// What it takes to tell the others of a change, now.
    pub(crate) fn news(&self) -> News {
        News {
            now_ms: self.clock.now_ms(),
            audience: self.limits.contact_update_audience,
            secret: Arc::clone(&self.secret),
        }
    }
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(routes::ENROLL, post(enroll::handle))
        .route(routes::SEND, post(send::handle))
        .route(routes::RECEIVE, post(receive::handle))
        .route(routes::LOOKUP, post(lookup::handle))
        .route(routes::SEARCH, post(search::handle))
        .route(routes::PROFILE, post(profile::handle))
        .route(routes::KEYS, post(keys::handle))
        .route(routes::DELETE_ACCOUNT, post(delete_account::handle))
        .route(routes::ATTACHMENTS, post(create_attachment::handle))
        .route(attachment_paths::ONE, delete(delete_attachment::handle))
        .route(
            attachment_paths::CHUNK,
            // Asked for its head alone, a chunk would be read all the same.
            put(put_chunk::handle)
                .get(get_chunk::handle)
                .head(async || Refusal::MethodNotAllowed),
        )
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(axum::middleware::map_response_with_state(
            Arc::clone(&app),
            dated,
        ))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&app),
            counted,
        ))
        .with_state(app)
}

/// Every answer tells the relay's time, refusals too: a client whose clock is off signs with it (D30).
async fn dated(State(app): State<Arc<App>>, mut response: Response) -> Response {
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(app.clock.now_ms());
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(now)) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

async fn counted(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let place = Counters::place(request.uri().path());
    let response = next.run(request).await;
    app.counters.count(place, response.status());
    response
}

fn protobuf(body: Vec<u8>) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static(routes::CONTENT_TYPE))],
        body,
    )
        .into_response()
}
