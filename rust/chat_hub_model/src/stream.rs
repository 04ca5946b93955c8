//! A socket under the scheduler: a buffer of few bytes towards the client, and
//! nothing but the end of the stream from it.
//!
//! The buffer is far smaller than a frame, so writes are cut in the middle of one,
//! and the hub often finds that the socket takes nothing.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Bytes that are on their way at once.
const CAPACITY: usize = 60;

#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    /// Steps of the scheduler.
    steps: AtomicUsize,
    hub_may_write: Notify,
    hub_may_read: Notify,
    peer_may_read: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    hub_has_ended: bool,
    peer_has_ended: bool,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.steps.fetch_add(1, Ordering::Relaxed);
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_of_hub(&self) {
        self.lock().hub_has_ended = true;
        self.peer_may_read.notify_one();
    }
}

#[derive(Debug)]
struct HubEnd(Arc<Pipe>);

impl Drop for HubEnd {
    fn drop(&mut self) {
        self.0.end_of_hub();
    }
}

/// The two ends of a stream, the first for the hub.
pub fn socket_pair() -> (StreamSource, Peer) {
    let pipe = Arc::new(Pipe::default());
    (StreamSource(HubEnd(Arc::clone(&pipe))), Peer(pipe))
}

/// A socket that is not yet part of a shard.
#[derive(Debug)]
pub struct StreamSource(HubEnd);

impl StreamSource {
    /// Makes it a part of a shard.
    ///
    /// # Errors
    /// Never here.
    pub fn register(self) -> io::Result<Stream> {
        Ok(Stream(self.0))
    }
}

/// The hub's end.
#[derive(Debug)]
pub struct Stream(HubEnd);

impl Stream {
    /// Finds the end of the stream, or nothing.
    ///
    /// # Errors
    /// `WouldBlock` until the client has ended it.
    pub fn try_read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.0.lock().peer_has_ended {
            return Ok(0);
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock();
        if state.peer_has_ended || state.hub_has_ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(CAPACITY - state.bytes.len());
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.bytes.extend_from_slice(&bytes[..taken]);
        drop(state);
        self.0.0.peer_may_read.notify_one();
        Ok(taken)
    }

    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let together: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter())
            .copied()
            .collect();
        self.try_write(&together)
    }

    pub(crate) fn end_writing(&self) -> io::Result<()> {
        self.0.0.end_of_hub();
        Ok(())
    }

    /// Waits until the client has ended the stream.
    ///
    /// # Errors
    /// Never here.
    pub async fn readable(&self) -> io::Result<()> {
        while !self.0.0.lock().peer_has_ended {
            self.0.0.hub_may_read.notified().await;
        }
        Ok(())
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        let is_full = || {
            let state = self.0.0.lock();
            state.bytes.len() == CAPACITY && !state.peer_has_ended
        };
        while is_full() {
            self.0.0.hub_may_write.notified().await;
        }
        Ok(())
    }
}

/// The client's end.
#[derive(Debug)]
pub struct Peer(Arc<Pipe>);

impl Peer {
    /// Takes what is there, or waits for it; nothing at the end of the stream.
    pub async fn read(&self) -> Vec<u8> {
        let take = || {
            let mut state = self.0.lock();
            (std::mem::take(&mut state.bytes), state.hub_has_ended)
        };
        loop {
            let (bytes, has_ended) = take();
            if !bytes.is_empty() || has_ended {
                self.0.hub_may_write.notify_one();
                return bytes;
            }
            self.0.peer_may_read.notified().await;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.lock().peer_has_ended = true;
        self.0.hub_may_read.notify_one();
        self.0.hub_may_write.notify_one();
    }
}
