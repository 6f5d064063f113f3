//! The tickets that are open: single use, 60 s, for the user of the host who asked.

use connect_api::bytes::Ticket;
use connect_core::token::{Token, TokenDigest};
use connect_ipc::socket::Peer;
use connect_service::chance::Chance;
use parking_lot::Mutex;

use super::errand::Errand;
use crate::caller::Principal;

const LIFE_MS: u64 = 60_000;

#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    /// What is kept of it: who reads the daemon's memory cannot show it.
    digest: TokenDigest,
    uid: u32,
    principal: Principal,
    issued_ms: u64,
    errand: Errand,
}

impl Open {
    /// A clock that was set back ends it too.
    fn is_good(&self, now_ms: u64) -> bool {
        (self.issued_ms..self.issued_ms.saturating_add(LIFE_MS)).contains(&now_ms)
    }

    fn is_of(&self, principal: &Principal, uid: u32) -> bool {
        self.uid == uid && self.principal.name() == principal.name()
    }
}

impl Tickets {
    /// A ticket for whoever asks, who may have so many of them open; otherwise how many milliseconds there are to wait.
    pub(crate) fn issue(
        &self,
        (principal, uid): (&Principal, u32),
        errand: Errand,
        (now_ms, most): (u64, usize),
        mut chance: Chance,
    ) -> Result<Ticket, u64> {
        let mut open = self.0.lock();
        open.retain(|ticket| ticket.is_good(now_ms));
        let of_caller = open.iter().filter(|ticket| ticket.is_of(principal, uid));
        let issued: Vec<u64> = of_caller.map(|ticket| ticket.issued_ms).collect();
        if let Some(oldest) = issued.iter().min()
            && issued.len() >= most
        {
            let wait_ms = oldest.saturating_add(LIFE_MS).saturating_sub(now_ms);
            return Err(wait_ms.max(1));
        }
        let token = Token::generate(&mut chance);
        open.push(Open {
            digest: token.digest(),
            uid,
            principal: principal.clone(),
            issued_ms: now_ms,
            errand,
        });
        Ok(Ticket::new(token.reveal().to_string()))
    }

    /// What it is for, once. Every open ticket is compared, whatever was shown.
    pub(crate) fn redeem(
        &self,
        shown: &str,
        peer: &Peer,
        now_ms: u64,
    ) -> Option<(Errand, Principal)> {
        let token = Token::parse(shown)?;
        let mut open = self.0.lock();
        open.retain(|ticket| ticket.is_good(now_ms));
        let mut found = None;
        for (place, ticket) in open.iter().enumerate() {
            if ticket.digest.is_of(&token) {
                found = Some(place);
            }
        }
        // Somebody else's stays: whoever asked for it can still show it.
        let place = found.filter(|place| open[*place].uid == peer.uid)?;
        let ticket = open.swap_remove(place);
        Some((ticket.errand, ticket.principal))
    }

    pub(crate) fn tidy(&self, now_ms: u64, session_is_open: bool) {
        self.0.lock().retain(|ticket| {
            ticket.is_good(now_ms) && (session_is_open || ticket.errand.outlives_the_session())
        });
    }
}
