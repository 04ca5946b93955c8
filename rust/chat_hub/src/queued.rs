//! How what was gathered reaches one connection.

use std::rc::Rc;

use bytes::Bytes;
use chat_protocol::EncodedFrame;

use crate::connection::{Connection, LocalLink};
use crate::disconnect::DisconnectReason;

impl Connection {
    /// Queues wire bytes until the end of the shard's turn.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn queue(self: &Rc<Self>, bytes: Bytes) -> Result<(), DisconnectReason> {
        let (LocalLink::Socket { outbox, .. }, Some(seat)) = (self.link(), self.topics_seat())
        else {
            return Ok(());
        };
        if bytes.is_empty() || !self.is_open() {
            return Ok(());
        }
        let max_bytes = self.shard.outbox_max_bytes();
        let would_overflow = || outbox.borrow().would_overflow(bytes.len(), max_bytes);
        if would_overflow() {
            // What waits may not even have been tried yet.
            self.write_outbox()
                .map_err(|_| DisconnectReason::ConnectionLost)?;
            if would_overflow() {
                return Err(DisconnectReason::SlowConsumer);
            }
        }
        outbox.borrow_mut().push(bytes);
        if !seat.is_queued.replace(true) {
            let queued = &self.shard.gathering().queued;
            queued.borrow_mut().push_back(Rc::clone(self));
        }
        Ok(())
    }

    /// Hands frames to the server that carries them.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn push<'a>(
        &self,
        frames: impl Iterator<Item = &'a EncodedFrame>,
    ) -> Result<(), DisconnectReason> {
        let LocalLink::Bridge(output) = self.link() else {
            return Ok(());
        };
        for frame in frames {
            if !output.push(frame, self.shard.outbox_max_bytes()) {
                return Err(DisconnectReason::SlowConsumer);
            }
        }
        Ok(())
    }

    /// Writes what `queue` has queued.
    ///
    /// # Errors
    /// If the peer is gone.
    pub(crate) fn write_queued(self: &Rc<Self>) -> std::io::Result<()> {
        if let Some(seat) = self.topics_seat() {
            seat.is_queued.set(false);
        }
        let LocalLink::Socket {
            outbox, draining, ..
        } = self.link()
        else {
            return Ok(());
        };
        // A socket that takes nothing now is the drainer's.
        if !draining.get() {
            self.write_outbox()?;
            if !outbox.borrow().is_empty() {
                self.start_draining();
            }
            self.note_written();
        }
        Ok(())
    }
}
