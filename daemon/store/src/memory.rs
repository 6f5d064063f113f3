//! What SQLite gives back is overwritten: pages and texts of an open database would else lie about after it was closed.
//!
//! SQLCipher can do that itself (`cipher_memory_security`), but also locks and unlocks each allocation in two system calls,
//! under the limit that the keys need, and unlocks pages that the process had locked for good.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use libsqlite3_sys::{
    SQLITE_CONFIG_GETMALLOC, SQLITE_CONFIG_MALLOC, SQLITE_OK, sqlite3_config, sqlite3_mem_methods,
};
use zeroize::Zeroize as _;

/// The allocator that SQLite has by itself.
struct Plain {
    malloc: unsafe extern "C" fn(c_int) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    size: unsafe extern "C" fn(*mut c_void) -> c_int,
}

static PLAIN: OnceLock<Plain> = OnceLock::new();

/// False where something else in this process had begun to use SQLite before.
pub fn is_wiped() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| install().is_some())
}

fn install() -> Option<()> {
    let mut methods = sqlite3_mem_methods {
        xMalloc: None,
        xFree: None,
        xRealloc: None,
        xSize: None,
        xRoundup: None,
        xInit: None,
        xShutdown: None,
        pAppData: ptr::null_mut(),
    };
    #[expect(unsafe_code, reason = "it fills in what it is shown, or refuses")]
    let known = unsafe { sqlite3_config(SQLITE_CONFIG_GETMALLOC, &raw mut methods) };
    let plain = Plain {
        malloc: methods.xMalloc?,
        free: methods.xFree?,
        size: methods.xSize?,
    };
    if known != SQLITE_OK || PLAIN.set(plain).is_err() {
        return None;
    }
    methods.xFree = Some(wipe_and_free);
    methods.xRealloc = Some(move_and_wipe);
    #[expect(unsafe_code, reason = "it copies what it is shown, or refuses")]
    let taken = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) };
    (taken == SQLITE_OK).then_some(())
}

#[expect(
    unsafe_code,
    reason = "SQLite calls it, with what the allocator gave it"
)]
unsafe extern "C" fn wipe_and_free(given: *mut c_void) {
    let (Some(plain), false) = (PLAIN.get(), given.is_null()) else {
        return;
    };
    #[expect(
        unsafe_code,
        reason = "it is as long as its allocator says, and SQLite has done with it"
    )]
    unsafe {
        let length = usize::try_from((plain.size)(given)).unwrap_or_default();
        std::slice::from_raw_parts_mut(given.cast::<u8>(), length).zeroize();
        (plain.free)(given);
    }
}

/// Growing in place would do too, but cannot be told from moving, which leaves a copy.
#[expect(
    unsafe_code,
    reason = "SQLite calls it, with what the allocator gave it"
)]
unsafe extern "C" fn move_and_wipe(given: *mut c_void, length: c_int) -> *mut c_void {
    let Some(plain) = PLAIN.get() else {
        return ptr::null_mut();
    };
    #[expect(
        unsafe_code,
        reason = "both are at least as long as what is copied, and do not overlap"
    )]
    unsafe {
        let moved = (plain.malloc)(length);
        if !moved.is_null() && !given.is_null() {
            let both = (plain.size)(given).min(length);
            let both = usize::try_from(both).unwrap_or_default();
            ptr::copy_nonoverlapping(given.cast::<u8>(), moved.cast::<u8>(), both);
            wipe_and_free(given);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_keeps_its_content() {
        assert!(
            is_wiped(),
            "nothing in this test has opened a database before"
        );
        let text: Vec<u8> = (0..200).collect();
        #[expect(unsafe_code, reason = "allocated, written, moved and freed in turn")]
        unsafe {
            let plain = PLAIN.get().unwrap();
            let first = (plain.malloc)(200);
            ptr::copy_nonoverlapping(text.as_ptr(), first.cast(), 200);
            let moved = move_and_wipe(first, 4000);
            assert_eq!(std::slice::from_raw_parts(moved.cast::<u8>(), 200), text);
            wipe_and_free(moved);
        }
    }
}
