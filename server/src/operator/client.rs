//! How an order gets to the relay: over its socket while it runs, and straight into the database while it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use sqlx::Connection as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::api::{HEADER_OPERATOR, ORDERS};
use super::execute::{Execute, Who};
use super::order::{OperatorName, Order};
use super::refused::OrderRefused;
use super::token::Token;
use crate::clock::Clock;
use crate::identity::{self, InitError};
use crate::lock::{self, LockError};
use crate::settings::{Settings, SettingsError};
use crate::store::inspection::{self, Verdict};
use crate::store::log::Head;
use crate::store::news::News;
use crate::store::writer::{Single as _, Tx};
use crate::store::{self, StoreError};

const PATIENCE: Duration = Duration::from_secs(30);

/// An operator's command failed.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error(transparent)]
    NotInitialised(#[from] SettingsError),
    #[error(transparent)]
    Identity(#[from] InitError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}: {hint}", hint = .0.hint())]
    Refused(OrderRefused),
    #[error("a relay runs on this state directory and does not answer on {0}")]
    NoSocket(PathBuf),
    #[error("{0} may not be opened by this user: {1}")]
    Forbidden(PathBuf, std::io::Error),
    #[error("cannot lock the state directory: {0}")]
    Lock(String),
    #[error(
        "the relay broke off: {0}; the order may have been carried out, look at `operator audit`"
    )]
    BrokenOff(String),
    #[error("the relay answered {0}: {1}")]
    Odd(u16, String),
}

impl From<sqlx::Error> for OperatorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A named credential, as its operator shows it.
#[derive(Debug)]
pub struct Badge {
    pub name: OperatorName,
    pub token: Token,
}

/// What came of an order that was carried out, or waits for a second operator.
#[derive(Debug, Deserialize)]
pub struct Answer {
    pub result: Value,
    /// Of the entry that tells of it.
    pub log: Option<Head>,
}

#[derive(Deserialize)]
struct RefusedAnswer {
    refused: String,
}

/// Where orders are given.
#[derive(Debug)]
pub struct Desk {
    state_dir: PathBuf,
    settings: Settings,
}

impl Desk {
    pub fn open(state_dir: &Path) -> Result<Self, OperatorError> {
        Ok(Self {
            state_dir: state_dir.to_owned(),
            settings: Settings::load(state_dir)?,
        })
    }

    /// The clock counts where no relay runs; else the relay's does.
    pub async fn give(
        &self,
        order: &Order,
        badge: Option<&Badge>,
        clock: &Clock,
    ) -> Result<Answer, OperatorError> {
        let path = self.settings.operators_socket(&self.state_dir);
        match UnixStream::connect(&path).await {
            Ok(stream) => timeout(PATIENCE, ask(stream, order, badge))
                .await
                .map_err(|_| OperatorError::BrokenOff("it took too long".to_owned()))?,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(OperatorError::Forbidden(path, error))
            }
            Err(_) => self.do_it_here(order, badge, clock, path).await,
        }
    }

    /// Reads the log where it lies, whether a relay runs or not.
    pub async fn inspect(&self, expect: Option<&str>) -> Result<Verdict, OperatorError> {
        let key = identity::read_secret(&self.state_dir)?
            .operations
            .public_key();
        let mut connection = store::open_connection(&self.state_dir).await?;
        let verdict = inspection::inspect(&mut connection, &key, expect).await?;
        connection.close().await?;
        Ok(verdict)
    }

    /// No relay may start in between: it would not know of what is changed beside it.
    async fn do_it_here(
        &self,
        order: &Order,
        badge: Option<&Badge>,
        clock: &Clock,
        socket: PathBuf,
    ) -> Result<Answer, OperatorError> {
        let _lock = lock::take(&self.state_dir)
            .await
            .map_err(|error| match error {
                LockError::Taken(_) => OperatorError::NoSocket(socket),
                LockError::File(..) => OperatorError::Lock(error.to_string()),
            })?;
        let secret = Arc::new(identity::read_secret(&self.state_dir)?);
        let mut execute = Execute {
            who: badge.map_or(Who::Host, |badge| {
                Who::Token(badge.name.clone(), badge.token.digest())
            }),
            order: order.clone(),
            four_eyes: self.settings.operators.four_eyes,
            news: News {
                now_ms: clock.now_ms(),
                audience: self.settings.limits.contact_update_audience,
                secret,
            },
        };
        let mut tx = Tx::new(store::open_connection(&self.state_dir).await?);
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut tx.connection)
            .await?;
        let executed = execute.apply(&mut tx).await?;
        sqlx::query("COMMIT").execute(&mut tx.connection).await?;
        tx.connection.close().await?;
        let result = executed.result.map_err(OperatorError::Refused)?;
        Ok(Answer {
            result,
            log: executed.head,
        })
    }
}

async fn ask(
    stream: UnixStream,
    order: &Order,
    badge: Option<&Badge>,
) -> Result<Answer, OperatorError> {
    let broken = |error: &dyn std::fmt::Display| OperatorError::BrokenOff(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let body = serde_json::to_vec(order).map_err(|error| broken(&error))?;
    let mut request = Request::post(ORDERS)
        .header(HOST, "relay")
        .header(CONTENT_TYPE, "application/json");
    if let Some(Badge { name, token }) = badge {
        request = request
            .header(HEADER_OPERATOR, name.as_str())
            .header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(&error))?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>((status, body))
    };
    // The connection is driven here, and ends with the answer.
    let (status, body) = tokio::select! {
        answered = answered => answered.map_err(|error| broken(&error))?,
        ended = connection => {
            let why = ended.err().map_or("closed".to_owned(), |error| error.to_string());
            return Err(OperatorError::BrokenOff(why));
        }
    };
    understand(status, &body)
}

fn understand(status: u16, body: &[u8]) -> Result<Answer, OperatorError> {
    if status == 200
        && let Ok(answer) = serde_json::from_slice(body)
    {
        return Ok(answer);
    }
    let refused = serde_json::from_slice::<RefusedAnswer>(body).ok();
    match refused.and_then(|refused| OrderRefused::from_word(&refused.refused)) {
        Some(refused) => Err(OperatorError::Refused(refused)),
        None => Err(OperatorError::Odd(
            status,
            String::from_utf8_lossy(body).into_owned(),
        )),
    }
}
