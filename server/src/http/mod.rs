//! The public API: one endpoint per file, and what they have in common.

mod authenticate;
mod body;
mod enroll;
mod list;
mod lookup;
mod receive;
mod send;
mod throttle;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use connect_proto::routes;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, DATE};
use tokio_util::sync::CancellationToken;

use crate::authorities::Authorities;
use crate::clock::Clock;
use crate::limits::Limits;
use crate::refusal::Refusal;
use crate::secret::RelaySecret;
use crate::store::Store;
use crate::wakes::Wakes;
pub(crate) use body::Bodies;
pub(crate) use throttle::Throttle;

/// What the endpoints work with.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) authorities: Authorities,
    pub(crate) bodies: Bodies,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) secret: Arc<RelaySecret>,
    pub(crate) store: Store,
    pub(crate) throttle: Throttle,
    pub(crate) wakes: Wakes,
    /// Long polls end with it.
    pub(crate) stopping: CancellationToken,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route(routes::ENROLL, post(enroll::handle))
        .route(routes::SEND, post(send::handle))
        .route(routes::RECEIVE, post(receive::handle))
        .route(routes::LOOKUP, post(lookup::handle))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(axum::middleware::map_response_with_state(
            Arc::clone(&app),
            dated,
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

fn protobuf(body: Vec<u8>) -> Response {
    (
        [(CONTENT_TYPE, HeaderValue::from_static(routes::CONTENT_TYPE))],
        body,
    )
        .into_response()
}
