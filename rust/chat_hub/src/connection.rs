//! One connection as its shard sees it: state, link, outbox and pulse.
//!
//! Lives on one thread. Frames for it come in the rounds of its room only, so
//! their order is the order of the room. `disconnect` is the one way a
//! connection ends, whatever the cause; `finish` is the last thing a session does.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, encode_close};
use tokio::sync::Notify;

use crate::bridge::BridgeOutput;
use crate::disconnect::DisconnectReason;
use crate::heartbeat::Pulse;
use crate::outbox::Outbox;
use crate::room::MissedPresence;
use crate::round::{Delivery, Importance, Portion, Round, WireForm};
use crate::shard::ShardState;
use crate::stream::Stream;

/// How long a connection may take to end properly before it is dropped.
const LINGER: Duration = Duration::from_secs(5);

/// Unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names a connection from any thread.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRef {
    pub(crate) id: ConnectionId,
    pub(crate) shard: usize,
    pub(crate) room: RoomId,
}

/// Who a connection is and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) id: ConnectionId,
    pub(crate) user_id: UserId,
    pub(crate) room_id: RoomId,
    /// The length of the room's stream of deliveries when it joined.
    pub(crate) joined_at: u64,
}

/// A connection on its own thread.
pub struct Connection {
    id: ConnectionId,
    user_id: UserId,
    room_id: RoomId,
    /// Where in the room's stream of deliveries it came in; what is before is not for it.
    joined_at: u64,
    shard: Rc<ShardState>,
    link: LocalLink,
    pub(crate) pulse: Option<Pulse>,
    /// What it was spared while it was behind.
    missed_presence: RefCell<MissedPresence>,
    /// None while open.
    end: Cell<Option<DisconnectReason>>,
    finished: Cell<bool>,
    /// Notified when `end`, `finished` or the emptiness of the outbox changes; all waiters are on this thread.
    changed: Notify,
    /// Where this connection stands in the shard's list of the room's readers.
    pub(crate) room_index: Cell<usize>,
}

pub(crate) enum LocalLink {
    Socket {
        stream: Stream,
        form: WireForm,
        outbox: RefCell<Outbox>,
        draining: Cell<bool>,
    },
    Bridge(Arc<BridgeOutput>),
}

impl Connection {
    pub(crate) fn new(
        place: Place,
        shard: Rc<ShardState>,
        link: LocalLink,
        pulse: Option<Pulse>,
    ) -> Self {
        Self {
            id: place.id,
            user_id: place.user_id,
            room_id: place.room_id,
            joined_at: place.joined_at,
            shard,
            link,
            pulse,
            missed_presence: RefCell::default(),
            end: Cell::new(None),
            finished: Cell::new(false),
            changed: Notify::new(),
            room_index: Cell::new(0),
        }
    }

    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    pub fn room_id(&self) -> RoomId {
        self.room_id
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// The name of this connection for other threads.
    pub fn reference(&self) -> ConnectionRef {
        ConnectionRef {
            id: self.id,
            shard: self.shard.index(),
            room: self.room_id,
        }
    }

    pub(crate) fn joined_at(&self) -> u64 {
        self.joined_at
    }

    /// False once `disconnect` was called, here or by the shard.
    pub fn is_open(&self) -> bool {
        self.end.get().is_none()
    }

    /// Waits until the connection is no longer open.
    pub async fn closing(&self) {
        while self.is_open() {
            self.changed.notified().await;
        }
    }

    /// Notes the answer to a ping.
    pub fn pong_received(&self) {
        if let Some(pulse) = &self.pulse {
            pulse.pong_received();
        }
    }

    /// Reads from the socket without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; `Unsupported` for a bridge, which is fed instead.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.link {
            LocalLink::Socket { stream, .. } => stream.try_read(buffer),
            LocalLink::Bridge(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Waits until `try_read` may give something.
    ///
    /// # Errors
    /// If the runtime is stopping.
    pub async fn readable(&self) -> io::Result<()> {
        match &self.link {
            LocalLink::Socket { stream, .. } => stream.readable().await,
            LocalLink::Bridge(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Sends raw wire bytes: pongs and close answers of the session's codec. They
    /// queue behind whatever waits. Dropped once the connection is closing,
    /// because nothing may follow our close frame.
    pub fn send_control(self: &Rc<Self>, bytes: &[u8]) {
        if self.is_open()
            && let Err(reason) = self.send_bytes(Bytes::copy_from_slice(bytes))
        {
            self.disconnect(reason);
        }
    }

    /// Ends the connection: leaves the room, announces it, tells the peer. Does
    /// nothing if it has ended already.
    pub fn disconnect(self: &Rc<Self>, reason: DisconnectReason) {
        if !self.is_open() {
            return;
        }
        self.end.set(Some(reason));
        self.shard.leave(self, reason);
        match (&self.link, reason.close_code()) {
            (LocalLink::Bridge(output), Some((code, text))) => {
                output.close(code, text, reason == DisconnectReason::SlowConsumer);
            }
            (LocalLink::Socket { outbox, .. }, Some((code, text))) => {
                if reason == DisconnectReason::SlowConsumer {
                    outbox.borrow_mut().keep_only_partial();
                }
                if self.queue_and_drain([encode_close(code, text)]).is_err() {
                    // The peer is gone: there is nobody to linger for.
                    *outbox.borrow_mut() = Outbox::default();
                }
            }
            (_, None) => {}
        }
        self.changed.notify_waiters();
    }

    /// The last step of a session: gives the peer a moment to take what is queued
    /// and to answer the close frame, then forgets the connection.
    pub async fn finish(self: Rc<Self>) {
        // Whoever ends a session without a reason has lost its peer.
        self.disconnect(DisconnectReason::ConnectionLost);
        let _ = tokio::time::timeout(LINGER, self.linger()).await;
        self.forget();
    }

    async fn linger(&self) {
        let LocalLink::Socket { stream, outbox, .. } = &self.link else {
            return;
        };
        if self.end.get() == Some(DisconnectReason::ConnectionLost) {
            return;
        }
        while !outbox.borrow().is_empty() {
            self.changed.notified().await;
        }
        if self.end.get() == Some(DisconnectReason::ClientClosed) {
            return;
        }
        // Our close frame is out. Clients wait for the server to end the stream
        // first (RFC 6455, section 7.1.1), but unread bytes would turn that end
        // into a reset which can destroy the frame: so only our half ends, and
        // reading goes on until the peer's does.
        if stream.end_writing().is_err() {
            return;
        }
        let mut discarded = vec![0; 1024];
        loop {
            match self.try_read(&mut discarded) {
                Ok(0) => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Removes the last traces; safe to call twice.
    pub(crate) fn forget(&self) {
        self.finished.set(true);
        self.changed.notify_waiters();
        self.shard.forget(self.id);
    }

    /// Sends what comes before everything else, with one write: for a socket of
    /// ours the handshake's answer, then the first frames.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn greet(
        self: &Rc<Self>,
        preamble: Option<Bytes>,
        greeting: &[EncodedFrame],
    ) -> Result<(), DisconnectReason> {
        match &self.link {
            LocalLink::Socket { form, .. } => {
                let frames = greeting.iter().map(|frame| form.of(frame).clone());
                self.queue_and_drain(preamble.into_iter().chain(frames))
            }
            LocalLink::Bridge(output) => {
                for frame in greeting {
                    output.push(frame, self.shard.outbox_max_bytes());
                }
                Ok(())
            }
        }
    }

    /// Delivers what a round has for this connection.
    ///
    /// # Errors
    /// Why the connection must end. The caller does that after its loop over readers.
    pub(crate) fn deliver(self: &Rc<Self>, round: &Round) -> Result<(), DisconnectReason> {
        let portion = round.portion(self);
        match (&self.link, portion) {
            (LocalLink::Socket { form, .. }, Portion::Common(round)) => {
                self.write_or_queue(round.wire(*form), round.common())
            }
            (LocalLink::Socket { form, .. }, Portion::Own(deliveries)) => {
                let frames = deliveries.iter().map(|delivery| form.of(&delivery.frame));
                let wire = frames.map(AsRef::as_ref).collect::<Vec<&[u8]>>().concat();
                self.write_or_queue(&wire, deliveries.into_iter())
            }
            (LocalLink::Bridge(output), Portion::Common(round)) => {
                self.push_all(output, round.common())
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
        } = &self.link
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

    /// Queues wire bytes that are for this connection alone and writes what goes.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn send_bytes(self: &Rc<Self>, bytes: Bytes) -> Result<(), DisconnectReason> {
        let LocalLink::Socket { outbox, .. } = &self.link else {
            return Ok(());
        };
        if outbox
            .borrow()
            .would_overflow(bytes.len(), self.shard.outbox_max_bytes())
        {
            return Err(DisconnectReason::SlowConsumer);
        }
        self.queue_and_drain([bytes])
    }

    fn queue_and_drain(
        self: &Rc<Self>,
        pieces: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), DisconnectReason> {
        let LocalLink::Socket { outbox, .. } = &self.link else {
            return Ok(());
        };
        for piece in pieces {
            outbox.borrow_mut().push(piece);
        }
        self.write_outbox()
            .map_err(|_| DisconnectReason::ConnectionLost)?;
        if !outbox.borrow().is_empty() {
            self.start_draining();
        }
        Ok(())
    }

    /// Writes from the outbox until it is empty or the socket takes no more.
    fn write_outbox(&self) -> io::Result<()> {
        let LocalLink::Socket { stream, outbox, .. } = &self.link else {
            return Ok(());
        };
        let mut outbox = outbox.borrow_mut();
        while !outbox.is_empty() {
            let written = stream.try_write_vectored(&outbox.slices());
            match written {
                Ok(written) => outbox.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Starts the task that empties the outbox, unless it runs already. It exists
    /// only while something waits, so that idle connections have no second task.
    fn start_draining(self: &Rc<Self>) {
        let LocalLink::Socket { draining, .. } = &self.link else {
            return;
        };
        if !draining.replace(true) {
            tokio::task::spawn_local(drain(Rc::clone(self)));
        }
    }
}

/// Whether a reader with that much waiting is spared what it can do without.
fn is_behind(waiting_bytes: usize, max_bytes: usize) -> bool {
    waiting_bytes > max_bytes / 4
}

async fn drain(connection: Rc<Connection>) {
    let LocalLink::Socket {
        stream,
        outbox,
        draining,
        ..
    } = &connection.link
    else {
        return;
    };
    while !outbox.borrow().is_empty() && !connection.finished.get() {
        let writable = tokio::select! {
            writable = stream.writable() => writable,
            () = connection.changed.notified() => continue,
        };
        if writable.and_then(|()| connection.write_outbox()).is_err() {
            connection.disconnect(DisconnectReason::ConnectionLost);
            *outbox.borrow_mut() = Outbox::default();
        }
    }
    draining.set(false);
    connection.changed.notify_waiters();
    let missed = connection.missed_presence.take();
    if connection.is_open() && !missed.is_empty() {
        connection.shard.catch_up(&connection, missed);
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("room_id", &self.room_id)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
