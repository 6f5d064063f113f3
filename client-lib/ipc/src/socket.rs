//! Listening, connecting and knowing the peer; each system's own file holds the functions, under the same names.

pub use crate::peer::{Audience, Peer};
pub use crate::refused::{ConnectError, ListenError};
#[cfg(unix)]
pub use crate::unix::{Listener, ReadHalf, Stream, WriteHalf, connect, listen, own_uid};
#[cfg(windows)]
pub use crate::windows::{Listener, ReadHalf, Stream, WriteHalf, connect, listen, own_uid};
