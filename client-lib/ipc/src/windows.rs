//! The socket on Windows: a named pipe that only the user who made it may open, and never over the network.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use interprocess::local_socket::tokio::{Listener as PipeListener, Stream as PipeStream};
use interprocess::local_socket::traits::StreamCommon;
use interprocess::local_socket::traits::tokio::{Listener as _, Stream as _};
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::windows::local_socket::ListenerOptionsExt;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use widestring::u16cstr;

use crate::endpoint::Endpoint;
use crate::peer::{Audience, Peer};
use crate::refused::{ConnectError, ListenError};

/// Stands in for a uid: whoever passes the pipe's security descriptor is the user who made the pipe.
const OWNER: u32 = 0;

/// Makes the pipe. Windows has no group of clients: every audience is the user alone.
pub async fn listen(endpoint: &Endpoint, _audience: Audience) -> Result<Listener, ListenError> {
    // Protected, so nothing is inherited: network logons are refused first, then the pipe's owner may do everything.
    let descriptor = SecurityDescriptor::deserialize(u16cstr!("D:P(D;;GA;;;NU)(A;;GA;;;OW)"))?;
    ListenerOptions::new()
        .name(endpoint.path().to_fs_name::<GenericFilePath>()?)
        .security_descriptor(descriptor)
        .create_tokio()
        .map(Listener)
        // The first instance of a pipe is refused where someone else holds the name.
        .map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::AddrInUse => ListenError::InUse,
            _ => ListenError::Io(error),
        })
}

#[derive(Debug)]
pub struct Listener(PipeListener);

impl Listener {
    /// The next peer.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        let stream = Stream(self.0.accept().await?);
        let peer = stream.peer()?;
        Ok((stream, peer))
    }
}

/// Connects to whoever listens there.
pub async fn connect(endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    let name = endpoint.path().to_fs_name::<GenericFilePath>()?;
    Ok(Stream(PipeStream::connect(name).await?))
}

/// A connection.
#[derive(Debug)]
pub struct Stream(PipeStream);

impl Stream {
    /// Who is on the other side.
    pub fn peer(&self) -> io::Result<Peer> {
        Ok(Peer {
            uid: OWNER,
            pid: self.0.peer_creds()?.pid(),
        })
    }

    /// Halves that live on their own. A pipe closes as a whole: once both are dropped.
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        let stream = Arc::new(self.0);
        (ReadHalf(Arc::clone(&stream)), WriteHalf(stream))
    }
}

#[derive(Debug)]
pub struct ReadHalf(Arc<PipeStream>);

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_read(cx, buf)
    }
}

#[derive(Debug)]
pub struct WriteHalf(Arc<PipeStream>);

impl WriteHalf {
    /// Asked once the end was read: a pipe closes as a whole.
    pub fn is_closed(&self) -> impl Future<Output = bool> {
        std::future::ready(true)
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_shutdown(cx)
    }
}

/// What every peer is shown as, and is.
pub fn own_uid() -> u32 {
    OWNER
}
