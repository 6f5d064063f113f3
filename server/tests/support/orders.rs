//! Orders as operators give them most often.

use connect_proto::ids::UserId;
use connect_relay::operator::order::{Order, Reason};

pub fn id(user: &str) -> UserId {
    user.parse().unwrap()
}

pub fn revoke(user: &str, reason: Reason) -> Order {
    Order::RevokeKeys {
        user_id: id(user),
        reason,
        revision: None,
        note: Some("by telephone".parse().unwrap()),
    }
}

pub fn delete(user: &str) -> Order {
    Order::DeleteAccount {
        user_id: id(user),
        reason: Reason::Requested,
        note: None,
        revision: None,
    }
}
