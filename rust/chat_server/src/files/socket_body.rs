//! The rest of a request's body, read straight from its socket: no byte of it
//! passes the interpreter or another thread.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chat_hub::StreamSource;
use tokio::io::{AsyncRead, AsyncReadExt as _, Take};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::io::poll_read_buf;

use super::form::BodyError;

/// The most that one read takes.
pub(super) const READ_BYTES: usize = 128 * 1024;
/// How long a client may send nothing.
const MAX_IDLE: Duration = Duration::from_secs(60);
/// How long it may take in all; well before an unfinished object counts as left over.
const MAX_DURATION: Duration = Duration::from_secs(60 * 60);
/// How long what a refused client still sends is read and thrown away.
const LINGER: Duration = Duration::from_secs(10);

type Socket = Take<Box<dyn AsyncRead + Send + Unpin>>;

/// A connection on which `length` bytes of a body are still to come.
#[derive(Debug)]
pub(super) struct UnreadBody {
    source: Option<StreamSource>,
    length: u64,
}

impl UnreadBody {
    pub(super) fn new(source: StreamSource, length: u64) -> Self {
        Self {
            source: Some(source),
            length,
        }
    }

    /// Begins to read; nothing if the connection is gone. Must be called on a thread
    /// of the runtime.
    pub(super) fn register(mut self) -> Option<SocketBody> {
        SocketBody::new(self.source.take()?, self.length).ok()
    }
}

impl Drop for UnreadBody {
    /// Whoever needs nothing more of it lets the client finish all the same.
    fn drop(&mut self) {
        if let (Some(source), Ok(_)) = (self.source.take(), Handle::try_current()) {
            drop(SocketBody::new(source, self.length));
        }
    }
}

/// A body that is being read.
pub(super) struct SocketBody {
    /// Until the end, or until the connection breaks.
    socket: Option<Socket>,
    buffer: BytesMut,
    idle_until: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl SocketBody {
    fn new(source: StreamSource, length: u64) -> std::io::Result<Self> {
        let socket: Box<dyn AsyncRead + Send + Unpin> = match source {
            StreamSource::Tcp(stream) => Box::new(TcpStream::from_std(stream)?),
            StreamSource::Unix(stream) => Box::new(UnixStream::from_std(stream)?),
        };
        Ok(Self {
            socket: Some(socket.take(length)),
            buffer: BytesMut::new(),
            idle_until: Box::pin(sleep(MAX_IDLE)),
            deadline: Instant::now() + MAX_DURATION,
        })
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(socket) = &mut self.socket else {
            return Poll::Ready(None);
        };
        if socket.limit() == 0 {
            self.socket = None;
            return Poll::Ready(None);
        }
        self.buffer.reserve(READ_BYTES);
        match poll_read_buf(Pin::new(socket), context, &mut self.buffer) {
            Poll::Ready(Ok(count)) if count > 0 => {
                let idle_until = Instant::now() + MAX_IDLE;
                self.idle_until
                    .as_mut()
                    .reset(idle_until.min(self.deadline));
                Poll::Ready(Some(Ok(self.buffer.split().freeze())))
            }
            Poll::Ready(_) => {
                self.socket = None;
                Poll::Ready(Some(Err(BodyError::Aborted)))
            }
            Poll::Pending => {
                ready!(self.idle_until.as_mut().poll(context));
                Poll::Ready(Some(Err(BodyError::Idle)))
            }
        }
    }
}

impl Drop for SocketBody {
    /// A client that is still sending does not see its answer if the connection
    /// is closed on unread bytes; so what it sends is read for a while.
    fn drop(&mut self) {
        if let (Some(socket), Ok(runtime)) = (self.socket.take(), Handle::try_current())
            && socket.limit() > 0
        {
            runtime.spawn(linger(socket));
        }
    }
}

async fn linger(mut socket: Socket) {
    let mut discarded = vec![0; READ_BYTES];
    let until = Instant::now() + LINGER;
    tokio::select! {
        () = sleep_until(until) => {}
        () = async { while matches!(socket.read(&mut discarded).await, Ok(1..)) {} } => {}
    }
}
