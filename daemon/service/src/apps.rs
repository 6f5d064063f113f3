//! Pairing programs with the daemon, and letting them in: the database has them, and a copy beside it serves while it is
//! closed.

use std::sync::Arc;

use connect_core::token::Token;
use connect_proto::ids::AppId;
use connect_store::apps::{self, App};
use zeroize::Zeroizing;

use crate::audit;
use crate::doors::Door;
use crate::error::{Error, Reason};
use crate::session::Session;
use crate::unlocked::Unlocked;

/// Characters of a name.
const LONGEST_NAME: usize = 64;
/// Apps that may come in at the same time: more than a host has programs.
const MOST_APPS: usize = 256;

/// What a new app is to be.
#[derive(Debug, Clone)]
pub struct Request {
    pub name: String,
    /// The contract's words.
    pub scopes: Vec<String>,
    /// The only user of the host who may use the token; none: every one that reaches the socket.
    pub uid: Option<u32>,
}

/// An app that was paired just now. Its token is nowhere else.
#[derive(Debug)]
pub struct Paired {
    pub app_id: AppId,
    pub token: Token,
}

/// Pairs an app; durable once this returns.
pub async fn create(
    session: &Session,
    unlocked: &Arc<Unlocked>,
    request: Request,
) -> Result<Paired, Error> {
    check_name(&request.name)?;
    if request.scopes.is_empty() {
        return Err(Error::invalid("scopes", Reason::Empty));
    }
    let _turn = session.doors.turn().await;
    if apps::live(&unlocked.store).await?.len() >= MOST_APPS {
        return Err(Error::invalid("name", Reason::OutOfRange));
    }
    let mut chance = unlocked.chance.clone();
    let token = Token::generate(&mut chance);
    let app = App {
        app_id: AppId::random(&mut chance),
        name: request.name,
        scopes: request.scopes,
        uid: request.uid,
        digest: Some(token.digest()),
        created_ms: unlocked.clock.now_ms(),
        revoked_ms: None,
    };
    let mut tx = unlocked.store.begin().await?;
    apps::add(&mut tx, &app).await?;
    audit::is_about("app", app.app_id.to_string());
    audit::commit(tx, unlocked).await?;
    session.doors.settle(apps::live(&unlocked.store).await?);
    Ok(Paired {
        app_id: app.app_id,
        token,
    })
}

/// The app is let in no more, and its connections end. None of it comes back, whenever the daemon ends meanwhile.
pub async fn revoke(
    session: &Session,
    unlocked: &Arc<Unlocked>,
    app_id: AppId,
) -> Result<(), Error> {
    let _turn = session.doors.turn().await;
    let mut staying = apps::live(&unlocked.store).await?;
    let before = staying.len();
    staying.retain(|app| app.app_id != app_id);
    if staying.len() == before {
        return Err(Error::NotFound);
    }
    // The copy first: it never lets in whom the database does not.
    session.doors.write_copy(&staying)?;
    let mut tx = unlocked.store.begin().await?;
    apps::revoke(&mut tx, app_id, unlocked.clock.now_ms()).await?;
    audit::commit(tx, unlocked).await?;
    session.doors.settle(staying);
    Ok(())
}

/// Every app that was ever paired, in that order.
pub async fn list(
    unlocked: &Unlocked,
    after: Option<AppId>,
    limit: u32,
) -> Result<Vec<App>, Error> {
    Ok(apps::list(&unlocked.store, after, limit).await?)
}

/// Lets an app in, or does not: why not is nobody's business.
pub fn authenticate(
    session: &Session,
    app_id: &str,
    token: &Zeroizing<String>,
    uid: u32,
) -> Option<Arc<Door>> {
    let app_id: AppId = app_id.parse().ok()?;
    session
        .doors
        .open(app_id, &Token::parse(token.as_str())?, uid)
}

fn check_name(name: &str) -> Result<(), Error> {
    const FIELD: &str = "name";
    if name.trim().is_empty() {
        return Err(Error::invalid(FIELD, Reason::Empty));
    }
    if name.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(FIELD, Reason::TooLong));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(FIELD, Reason::Malformed));
    }
    Ok(())
}
