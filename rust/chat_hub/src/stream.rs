//! The byte stream under a connection: TCP or a Unix socket, non-blocking.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A connected stream socket that is not yet part of a runtime, and so may cross threads.
#[derive(Debug)]
pub enum StreamSource {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl StreamSource {
    /// Takes a connected stream socket and makes it non-blocking.
    ///
    /// # Errors
    /// If the descriptor is no connected stream socket.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = socket2::Socket::from(descriptor);
        socket.set_nonblocking(true)?;
        if socket.local_addr()?.is_unix() {
            Ok(Self::Unix(OwnedFd::from(socket).into()))
        } else {
            socket.set_tcp_nodelay(true)?;
            Ok(Self::Tcp(socket.into()))
        }
    }

    /// Writes a short answer and closes; used for refusals, where nothing else follows.
    pub fn answer_and_close(self, answer: &[u8]) {
        use std::io::Write as _;
        // A refusal that does not fit an empty socket buffer is not worth waiting for.
        let _ = match self {
            Self::Tcp(mut stream) => stream
                .write_all(answer)
                .and_then(|()| stream.shutdown(Shutdown::Write)),
            Self::Unix(mut stream) => stream
                .write_all(answer)
                .and_then(|()| stream.shutdown(Shutdown::Write)),
        };
    }

    /// Makes it a part of the runtime of this thread.
    ///
    /// # Errors
    /// If the runtime cannot watch it.
    pub fn register(self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(stream) => Stream::Tcp(TcpStream::from_std(stream)?),
            Self::Unix(stream) => Stream::Unix(UnixStream::from_std(stream)?),
        })
    }
}

/// A stream registered with the runtime of one shard.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Reads without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }?;
        if 0 < read && read < buffer.len() {
            self.note_drained();
        }
        Ok(read)
    }

    /// A read that did not fill its buffer took all there was. Said to the runtime,
    /// it saves the system call that would only find the same. What arrives from
    /// now on is a new event, as readiness is edge-triggered.
    fn note_drained(&self) {
        let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
        let _ = match self {
            Self::Tcp(stream) => stream.try_io(Interest::READABLE, nothing),
            Self::Unix(stream) => stream.try_io(Interest::READABLE, nothing),
        };
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Unix(stream) => stream.try_write(bytes),
        }
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Unix(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Tells the peer that nothing follows; reading goes on.
    pub(crate) fn end_writing(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Unix(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
        }
    }

    /// Waits until `try_read` may give something.
    ///
    /// # Errors
    /// If the runtime is stopping.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    /// Writes everything; for a socket that is not a connection's yet.
    ///
    /// # Errors
    /// If the peer is gone.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            Self::Unix(stream) => stream.writable().await,
        }
    }
}
