//! How a round of a room reaches one of its readers.

use std::io;
use std::rc::Rc;

use crate::bridge::BridgeOutput;
use crate::connection::{Connection, LocalLink};
use crate::disconnect::DisconnectReason;
use crate::round::{Delivery, Importance, Portion, Round};

impl Connection {
    /// Delivers what a round has for this connection.
    ///
    /// # Errors
    /// Why the connection must end. The caller does that after its loop over readers.
    pub(crate) fn deliver(self: &Rc<Self>, round: &Round) -> Result<(), DisconnectReason> {
        let portion = round.portion(self);
        match (self.link(), portion) {
            (LocalLink::Socket { form, .. }, Portion::Common(round, events)) => {
                self.write_or_queue(round.wire(*form, events), round.common(events))
            }
            (LocalLink::Socket { form, .. }, Portion::Own(deliveries)) => {
                let frames = deliveries.iter().map(|delivery| form.of(&delivery.frame));
                let wire = frames.map(AsRef::as_ref).collect::<Vec<&[u8]>>().concat();
                self.write_or_queue(&wire, deliveries.into_iter())
            }
            (LocalLink::Bridge(output), Portion::Common(round, events)) => {
                self.push_all(output, round.common(events))
            }
            (LocalLink::Bridge(output), Portion::Own(deliveries)) => {
                self.push_all(output, deliveries.into_iter())
            }
        }
    }

    /// Announcements are not left out here: nobody would notice on this thread when
    /// the other server has caught up.
    fn push_all<'a>(
        &self,
        output: &BridgeOutput,
        deliveries: impl Iterator<Item = &'a Delivery>,
    ) -> Result<(), DisconnectReason> {
        let max_bytes = self.shard.outbox_max_bytes();
        for delivery in deliveries {
            let is_lossy = delivery.importance == Importance::Lossy;
            if is_lossy && is_behind(output.waiting_bytes(), max_bytes) {
                continue;
            }
            if !output.push(&delivery.frame, max_bytes) {
                return Err(DisconnectReason::SlowConsumer);
            }
        }
        Ok(())
    }

    /// Writes `wire`, the frames of the deliveries one after the other, as far as
    /// the socket takes it, and queues the rest frame by frame.
    fn write_or_queue<'a>(
        self: &Rc<Self>,
        wire: &[u8],
        deliveries: impl Iterator<Item = &'a Delivery>,
    ) -> Result<(), DisconnectReason> {
        let LocalLink::Socket {
            stream,
            form,
            outbox,
            ..
        } = self.link()
        else {
            return Ok(());
        };
        let max_bytes = self.shard.outbox_max_bytes();
        let mut outbox = outbox.borrow_mut();
        let mut written = 0;
        if outbox.is_empty() {
            while written < wire.len() {
                match stream.try_write(&wire[written..]) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return Err(DisconnectReason::ConnectionLost),
                }
            }
            if written == wire.len() {
                return Ok(());
            }
        }
        for delivery in deliveries {
            let bytes = form.of(&delivery.frame);
            if written >= bytes.len() {
                written -= bytes.len();
                continue;
            }
            if written > 0 {
                outbox.push_partial(bytes.clone(), written);
                written = 0;
                continue;
            }
            let is_behind = is_behind(outbox.len_bytes(), max_bytes);
            match delivery.importance {
                Importance::Lossy if is_behind => continue,
                Importance::Presence(user) if is_behind => {
                    self.missed_presence.borrow_mut().insert(user);
                    continue;
                }
                _ => {}
            }
            if outbox.would_overflow(bytes.len(), max_bytes) {
                return Err(DisconnectReason::SlowConsumer);
            }
            outbox.push(bytes.clone());
        }
        drop(outbox);
        self.start_draining();
        Ok(())
    }
}

/// Whether a reader with that much waiting is spared what it can do without.
fn is_behind(waiting_bytes: usize, max_bytes: usize) -> bool {
    waiting_bytes > max_bytes / 4
}
