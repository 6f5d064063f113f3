//! The socket on Unix: bound with its mode, replaced only when stale, removed only when still ours.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use interprocess::local_socket::{
    GenericFilePath, ListenerNonblockingMode, ListenerOptions, ToFsName,
};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::Listener as BoundListener;
use rustix::fs::FlockOperation;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{UnixListener, UnixStream, unix};
use tokio::time::timeout;

use crate::endpoint::Endpoint;
use crate::peer::{Audience, Peer};
use crate::refused::{ConnectError, ListenError};

/// How long to wait for another daemon that is just binding in the same directory.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

const MODE_BITS: u32 = 0o7777;

/// Binds the endpoint. The directory is made when it is missing; a stale socket is replaced; a live one, or
/// anything that is not a socket, stays.
pub async fn listen(endpoint: &Endpoint, audience: Audience) -> Result<Listener, ListenError> {
    let path = endpoint.path().to_owned();
    // Binding takes a lock and asks the file system, so it goes where blocking is allowed.
    tokio::task::spawn_blocking(move || bind(path, audience))
        .await
        .map_err(io::Error::other)?
}

/// A bound socket. Its file goes when it is dropped, if the file is still its own.
#[derive(Debug)]
pub struct Listener {
    inner: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket's file.
    file: (u64, u64),
}

impl Listener {
    /// The next peer. Cancel safe. An error is about one peer, or about this process's limits: the listener stays
    /// usable, but the caller should pause before it tries again.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (stream, _) = self.inner.accept().await?;
        let stream = Stream(stream);
        let peer = stream.peer()?;
        Ok((stream, peer))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.file);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket's file stays behind");
        }
    }
}

/// Connects to whoever listens there.
pub async fn connect(endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    Ok(Stream(UnixStream::connect(endpoint.path()).await?))
}

/// A connection.
#[derive(Debug)]
pub struct Stream(UnixStream);

impl Stream {
    /// Who is on the other side.
    pub fn peer(&self) -> io::Result<Peer> {
        let credentials = self.0.peer_cred()?;
        Ok(Peer {
            uid: credentials.uid(),
            pid: credentials.pid().and_then(|pid| pid.try_into().ok()),
        })
    }

    /// Halves that live on their own. The peer reads the end once the write half is dropped or shut down.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = self.0.into_split();
        (ReadHalf(read), WriteHalf(write))
    }
}

#[derive(Debug)]
pub struct ReadHalf(unix::OwnedReadHalf);

impl AsyncRead for ReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

#[derive(Debug)]
pub struct WriteHalf(unix::OwnedWriteHalf);

impl WriteHalf {
    /// Whether nobody is there any more who could read. A peer that has only ended what it says still can.
    pub async fn is_closed(&self) -> bool {
        let ready = self.0.ready(Interest::WRITABLE);
        // While the peer reads too slowly it is there: there is nothing to wait for here.
        match timeout(Duration::ZERO, ready).await {
            Ok(Ok(ready)) => ready.is_write_closed(),
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The uid that this process shows to its peers.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn bind(path: PathBuf, audience: Audience) -> Result<Listener, ListenError> {
    let (directory_mode, socket_mode) = match audience {
        Audience::User => (0o700, 0o600),
        Audience::Group => (0o750, 0o660),
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(directory, directory_mode)?;
    // Two daemons that start at once would each find the other's fresh socket stale and remove it.
    let _lock = lock(directory)?;
    clear(&path)?;
    let bound = ListenerOptions::new()
        .name(path.as_path().to_fs_name::<GenericFilePath>()?)
        .nonblocking(ListenerNonblockingMode::Both)
        // It would remove the file even when it is another daemon's by now.
        .reclaim_name(false)
        .mode(socket_mode)
        .create_sync_as::<BoundListener>()
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse,
            _ => ListenError::Io(error),
        })?;
    let found = fs::symlink_metadata(&path)?;
    widen(&path, &found, socket_mode)?;
    Ok(Listener {
        inner: UnixListener::from_std(StdListener::from(bound))?,
        file: identity(&found),
        path,
    })
}

fn make_directory(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() {
        // An administrator's or systemd's: its mode is theirs.
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory)?;
    widen(directory, &fs::symlink_metadata(directory)?, mode)
}

/// Gives back what the umask took. It only ever adds bits that were asked for, so there is no moment at which the
/// file is more open than it should be.
fn widen(path: &Path, found: &fs::Metadata, mode: u32) -> io::Result<()> {
    if found.mode() & MODE_BITS == mode {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Whoever binds in a directory holds its lock. Where others can lock the directory too, they cannot keep the daemon
/// from starting: after a second it goes on without.
fn lock(directory: &Path) -> io::Result<File> {
    let directory = File::open(directory)?;
    for _ in 0..LOCK_ATTEMPTS {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            // Not every file system has locks.
            Ok(()) | Err(_) => break,
        }
    }
    Ok(directory)
}

/// Makes the name free, if only a stale socket holds it.
fn clear(path: &Path) -> Result<(), ListenError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket);
    }
    if is_live(path)? {
        return Err(ListenError::InUse);
    }
    fs::remove_file(path)?;
    Ok(())
}

/// Asks without waiting: a daemon that hangs with a full backlog is live too.
fn is_live(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Ok(true),
        Err(rustix::io::Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
