//! Who is on the other side of a connection, and what that allows.

use std::sync::Arc;

use connect_api::errors::ErrorCode;
use connect_api::events;
use connect_api::method::Access;
use connect_api::scope::Scope;
use connect_ipc::socket::Peer;
use connect_service::doors::Door;
use connect_store::codes::EventKind;

/// The owner's principal: the daemon's own user, or one that the configuration names.
pub const OWNER: &str = "owner";

#[derive(Debug, Clone)]
pub enum Principal {
    Owner,
    /// Has presented a token.
    App(Arc<App>),
    /// Has not.
    Stranger,
}

/// A paired app that came in.
#[derive(Debug)]
pub struct App {
    id: String,
    scopes: Vec<Scope>,
    door: Arc<Door>,
}

impl Principal {
    pub fn of(peer: &Peer, own_uid: u32, owner_uids: &[u32]) -> Self {
        if peer.uid == own_uid || owner_uids.contains(&peer.uid) {
            Self::Owner
        } else {
            Self::Stranger
        }
    }

    /// A scope that this version does not know allows nothing here.
    pub fn through(door: Arc<Door>) -> Self {
        let known = |word: &String| Scope::ALL.into_iter().find(|scope| scope.name() == word);
        Self::App(Arc::new(App {
            id: door.app_id.to_string(),
            scopes: door.scopes.iter().filter_map(known).collect(),
            door,
        }))
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Owner => Some(OWNER),
            Self::App(app) => Some(&app.id),
            Self::Stranger => None,
        }
    }

    pub fn scopes(&self) -> &[Scope] {
        match self {
            Self::Owner => &Scope::ALL,
            Self::App(app) => &app.scopes,
            Self::Stranger => &[],
        }
    }

    pub fn is_stranger(&self) -> bool {
        matches!(self, Self::Stranger)
    }

    /// Whether a method is open to this principal.
    pub fn may(&self, access: Access) -> Result<(), ErrorCode> {
        match (access, self) {
            (Access::Anyone, _) => Ok(()),
            (_, Self::Stranger) => Err(ErrorCode::Unauthenticated),
            (_, Self::App(app)) if app.door.is_revoked() => Err(ErrorCode::Unauthenticated),
            (Access::Authenticated, _) => Ok(()),
            (Access::Scope(scope), _) if self.scopes().contains(&scope) => Ok(()),
            (Access::Scope(_), _) => Err(ErrorCode::Forbidden),
        }
    }

    /// The events that this principal is told of; none where that is all of them.
    pub fn events(&self) -> Option<Vec<EventKind>> {
        let told = |kind: &EventKind| events::is_told(kind.word(), self.scopes());
        match self {
            Self::Owner => None,
            _ => Some(EventKind::ALL.iter().copied().filter(told).collect()),
        }
    }

    /// Returns once its app was revoked: for whoever is no app's, never.
    pub async fn revoked(&self) {
        match self {
            Self::App(app) => app.door.revoked().await,
            Self::Owner | Self::Stranger => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_daemons_user_or_a_configured_one() {
        let is_owner = |uid, owner_uids| {
            let peer = Peer { uid, pid: None };
            matches!(Principal::of(&peer, 5, owner_uids), Principal::Owner)
        };
        assert!(is_owner(5, &[]));
        assert!(is_owner(7, &[7]));
        assert!(!is_owner(6, &[7]));
        assert!(!is_owner(0, &[]));
    }

    #[test]
    fn a_stranger_may_only_say_hello() {
        let stranger = Principal::Stranger;
        assert_eq!(stranger.may(Access::Anyone), Ok(()));
        let refused = Err(ErrorCode::Unauthenticated);
        assert_eq!(stranger.may(Access::Authenticated), refused);
        assert_eq!(stranger.may(Access::Scope(Scope::MessagesRead)), refused);
    }

    #[test]
    fn every_kind_of_event_has_its_scopes() {
        for kind in EventKind::ALL {
            assert!(events::is_told(kind.word(), &Scope::ALL), "{}", kind.word());
        }
    }
}
