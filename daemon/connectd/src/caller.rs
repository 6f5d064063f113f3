//! Who is on the other side of a connection, and what that allows.

use connect_api::errors::ErrorCode;
use connect_api::method::Access;
use connect_api::scope::Scope;
use connect_ipc::socket::Peer;

/// The owner's principal: the daemon's own user, or one that the configuration names.
pub const OWNER: &str = "owner";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    Owner,
    /// Has not presented a token.
    Stranger,
}

impl Principal {
    pub fn of(peer: &Peer, own_uid: u32, owner_uids: &[u32]) -> Self {
        if peer.uid == own_uid || owner_uids.contains(&peer.uid) {
            Self::Owner
        } else {
            Self::Stranger
        }
    }

    pub fn name(&self) -> Option<&'static str> {
        match self {
            Self::Owner => Some(OWNER),
            Self::Stranger => None,
        }
    }

    pub fn scopes(&self) -> &'static [Scope] {
        match self {
            Self::Owner => &Scope::ALL,
            Self::Stranger => &[],
        }
    }

    /// Whether a method is open to this principal.
    pub fn may(&self, access: Access) -> Result<(), ErrorCode> {
        match (access, self) {
            (Access::Anyone, _) => Ok(()),
            (_, Self::Stranger) => Err(ErrorCode::Unauthenticated),
            (Access::Authenticated, _) => Ok(()),
            (Access::Scope(scope), _) if self.scopes().contains(&scope) => Ok(()),
            (Access::Scope(_), _) => Err(ErrorCode::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_daemons_user_or_a_configured_one() {
        let peer = |uid| Peer { uid, pid: None };
        assert_eq!(Principal::of(&peer(5), 5, &[]), Principal::Owner);
        assert_eq!(Principal::of(&peer(7), 5, &[7]), Principal::Owner);
        assert_eq!(Principal::of(&peer(6), 5, &[7]), Principal::Stranger);
        assert_eq!(Principal::of(&peer(0), 5, &[]), Principal::Stranger);
    }

    #[test]
    fn a_stranger_may_only_say_hello() {
        let stranger = Principal::Stranger;
        assert_eq!(stranger.may(Access::Anyone), Ok(()));
        let refused = Err(ErrorCode::Unauthenticated);
        assert_eq!(stranger.may(Access::Authenticated), refused);
        assert_eq!(stranger.may(Access::Scope(Scope::MessagesRead)), refused);
    }
}
