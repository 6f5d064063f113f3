//! Places for connections: so many in all, and so many from one address, so that nobody can take them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::Limits;

type Taken = Arc<Mutex<HashMap<IpAddr, usize>>>;

#[derive(Debug)]
pub(crate) struct Room {
    all: Arc<Semaphore>,
    from_one: usize,
    taken: Taken,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    address: IpAddr,
    taken: Taken,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            from_one: limits.connections_per_address,
            taken: Taken::default(),
        }
    }

    /// Waits for a place for whoever comes next.
    pub(crate) async fn any(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// The place for this address, if it has not got its share already.
    pub(crate) fn take(&self, of_all: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut taken = self.taken.lock();
        let here = taken.entry(address).or_default();
        if *here >= self.from_one {
            return None;
        }
        *here += 1;
        Some(Place {
            _of_all: of_all,
            address,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(here) = taken.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// One customer has 2^64 addresses of version 6: they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_gets_its_share_and_the_others_theirs() {
        let room = Room::new(&Limits {
            connections_per_address: 2,
            ..Limits::default()
        });
        let take = async |address: &str| room.take(room.any().await?, address.parse().unwrap());
        let first = take("192.0.2.1").await;
        let _second = take("::ffff:192.0.2.1").await.unwrap();
        assert!(take("192.0.2.1").await.is_none());
        let _other = take("192.0.2.2").await.unwrap();
        drop(first);
        assert!(take("192.0.2.1").await.is_some());
        let _one = take("2001:db8::1").await.unwrap();
        let _two = take("2001:db8::2").await.unwrap();
        assert!(take("2001:db8::ffff:3").await.is_none());
        assert!(take("2001:db8:0:1::1").await.is_some());
    }
}
