//! Memory for keys that stay a while: not swapped, not dumped, and where the kernel can, out of everyone else's reach.
//!
//! Each key has pages of its own between two that nobody may touch. They are wiped when the key is dropped.

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

const LEN: usize = 32;

/// How a key is kept, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// `memfd_secret`: the kernel itself no longer maps these pages. No other process reads them, root's included.
    Secret,
    /// `mlock`: never swapped, and left out of dumps.
    Locked,
    /// The system gives neither (`RLIMIT_MEMLOCK`): wiped when dropped, and that is all.
    Swappable,
}

/// 32 secret bytes.
pub struct Locked {
    bytes: NonNull<[u8; LEN]>,
    kept: Kept,
}

impl Locked {
    /// All zero. Where the system gives no protected memory, unprotected.
    ///
    /// # Panics
    /// If there is no memory at all.
    pub fn zeroed() -> Self {
        let (bytes, kept) = secret().map_or_else(ordinary, |bytes| (bytes, Kept::Secret));
        WORST.fetch_max(kept as u8, Ordering::Relaxed);
        let mut locked = Self { bytes, kept };
        locked.expose_mut().fill(0);
        locked
    }

    /// Takes a copy; the caller's is the caller's to wipe.
    pub fn copy_of(bytes: &[u8; LEN]) -> Self {
        let mut locked = Self::zeroed();
        locked.expose_mut().copy_from_slice(bytes);
        locked
    }

    pub fn expose(&self) -> &[u8; LEN] {
        #[expect(
            unsafe_code,
            reason = "allocated and written by `zeroed`, freed by `drop` alone"
        )]
        unsafe {
            self.bytes.as_ref()
        }
    }

    pub fn expose_mut(&mut self) -> &mut [u8; LEN] {
        #[expect(
            unsafe_code,
            reason = "as in `expose`, and there is no other reference"
        )]
        unsafe {
            self.bytes.as_mut()
        }
    }

    pub fn kept(&self) -> Kept {
        self.kept
    }
}

/// How keys that are made now would be kept, the worst of them: found out by making as many as an open session has.
pub fn try_out() -> Kept {
    const SESSION: usize = 12;
    let keys: Vec<Locked> = (0..SESSION).map(|_| Locked::zeroed()).collect();
    keys.iter()
        .map(Locked::kept)
        .max()
        .unwrap_or(Kept::Swappable)
}

/// How the worst of all keys of this process was kept.
pub fn worst() -> Kept {
    match WORST.load(Ordering::Relaxed) {
        0 => Kept::Secret,
        1 => Kept::Locked,
        _ => Kept::Swappable,
    }
}

/// As a number, that none may be better than.
static WORST: AtomicU8 = AtomicU8::new(0);

/// Each attempt that fails may cost a descriptor: there are a few of them, since the next one may succeed.
#[cfg(target_os = "linux")]
fn secret() -> Option<NonNull<[u8; LEN]>> {
    const MOST: u8 = 32;
    static REFUSED: AtomicU8 = AtomicU8::new(0);
    if REFUSED.load(Ordering::Relaxed) >= MOST {
        return None;
    }
    #[expect(unsafe_code, reason = "any bytes make an array of bytes")]
    let bytes = unsafe { memsec::memfd_secret::<[u8; LEN]>() };
    if bytes.is_none() {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
    bytes
}

#[cfg(not(target_os = "linux"))]
fn secret() -> Option<NonNull<[u8; LEN]>> {
    None
}

fn ordinary() -> (NonNull<[u8; LEN]>, Kept) {
    #[expect(unsafe_code, reason = "any bytes make an array of bytes")]
    let bytes = unsafe { memsec::malloc::<[u8; LEN]>() }.expect("there is memory for a key");
    // The allocation locks its pages and does not tell whether it could: locking them again does.
    #[expect(unsafe_code, reason = "these bytes were allocated just now")]
    let locked = unsafe { memsec::mlock(bytes.as_ptr().cast(), LEN) };
    let kept = if locked {
        Kept::Locked
    } else {
        Kept::Swappable
    };
    (bytes, kept)
}

impl Drop for Locked {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if self.kept == Kept::Secret {
            #[expect(
                unsafe_code,
                reason = "it was allocated so, and nobody has it any more"
            )]
            unsafe {
                memsec::free_memfd_secret(self.bytes);
            }
            return;
        }
        #[expect(
            unsafe_code,
            reason = "it was allocated so, and nobody has it any more"
        )]
        unsafe {
            memsec::free(self.bytes);
        }
    }
}

#[expect(unsafe_code, reason = "it owns its bytes, as a box would")]
unsafe impl Send for Locked {}

#[expect(unsafe_code, reason = "shared, it is only read")]
unsafe impl Sync for Locked {}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Locked({:?})", self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_and_not_shown() {
        let locked = Locked::copy_of(&[0x41; 32]);
        assert_eq!(locked.expose(), &[0x41; 32]);
        let shown = format!("{locked:?}");
        assert!(!shown.contains("41") && !shown.contains('A'), "{shown}");
    }

    #[test]
    fn where_there_is_no_secret_memory_it_is_locked_or_said_to_be_swappable() {
        let (bytes, kept) = ordinary();
        assert_ne!(kept, Kept::Secret);
        let mut locked = Locked { bytes, kept };
        locked.expose_mut().fill(7);
        assert_eq!(locked.expose(), &[7; 32]);
    }

    #[test]
    fn many_come_and_go() {
        assert_eq!(try_out(), try_out());
        for _ in 0..20_000 {
            drop(Locked::copy_of(&[1; 32]));
        }
        let many: Vec<Locked> = (0..100).map(|n| Locked::copy_of(&[n; 32])).collect();
        assert!(
            many.iter()
                .zip(0..)
                .all(|(key, n)| key.expose() == &[n; 32])
        );
    }
}
