//! Who may come to the socket, and who came.

/// Whom the file system lets through to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The daemon's own user: directory 0700, socket 0600.
    User,
    /// The daemon's user and group: directory 0750, socket 0660.
    Group,
}

/// Who is on the other side, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    /// For the log only: a process id may be used again.
    pub pid: Option<u32>,
}
