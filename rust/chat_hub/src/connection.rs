//! One connection as its shard sees it: state, link, outbox and pulse.
//!
//! Lives on one thread. Frames for it come in the rounds of its room only
//! (`deliver`), or through the gatherings of its shard (`topics`), so their order
//! is the order there. `disconnect` is the one way a connection ends, whatever the
//! cause; `finish` is the last thing a session does.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_protocol::ids::RoomId;
use chat_protocol::{EncodedFrame, EventKinds, PING_FRAME, encode_close};
use tokio::sync::Notify;

use crate::bridge::BridgeOutput;
use crate::disconnect::DisconnectReason;
use crate::heartbeat::Pulse;
use crate::outbox::Outbox;
use crate::room::MissedPresence;
use crate::round::WireForm;
use crate::seat::{RoomSeat, Seat, TopicsSeat};
use crate::shard::ShardState;
use crate::stream::Stream;

/// How long a connection may take to end properly before it is dropped.
const LINGER: Duration = Duration::from_secs(5);

/// Unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names a connection from any thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionRef {
    pub(crate) id: ConnectionId,
    pub(crate) shard: usize,
    /// None if it subscribes to topics instead.
    pub(crate) room: Option<RoomId>,
}

/// A connection on its own thread.
pub struct Connection {
    id: ConnectionId,
    seat: Seat,
    pub(crate) shard: Rc<ShardState>,
    first_link: LocalLink,
    /// What `replace_link` put in its place.
    later_link: OnceCell<Box<LocalLink>>,
    pub(crate) pulse: Option<Pulse>,
    /// What it was spared while it was behind.
    pub(crate) missed_presence: RefCell<MissedPresence>,
    /// None while open.
    end: Cell<Option<DisconnectReason>>,
    finished: Cell<bool>,
    /// Notified when `end`, `finished` or the emptiness of the outbox changes; all waiters are on this thread.
    changed: Notify,
}

/// What a connection can go on over.
#[derive(Debug)]
pub enum ReplacementLink {
    /// A socket that was registered on the connection's thread.
    Socket(Stream),
    Bridge(Arc<BridgeOutput>),
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

impl LocalLink {
    pub(crate) fn socket(stream: Stream, form: WireForm) -> Self {
        Self::Socket {
            stream,
            form,
            outbox: RefCell::default(),
            draining: false.into(),
        }
    }
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        seat: Seat,
        shard: Rc<ShardState>,
        link: LocalLink,
        pulse: Option<Pulse>,
    ) -> Self {
        Self {
            id,
            seat,
            shard,
            first_link: link,
            later_link: OnceCell::new(),
            pulse,
            missed_presence: RefCell::default(),
            end: Cell::new(None),
            finished: Cell::new(false),
            changed: Notify::new(),
        }
    }

    pub(crate) fn link(&self) -> &LocalLink {
        self.later_link
            .get()
            .map_or(&self.first_link, |link| &**link)
    }

    /// None if it subscribes to topics.
    pub(crate) fn room_seat(&self) -> Option<&RoomSeat> {
        match &self.seat {
            Seat::Room(seat) => Some(seat),
            Seat::Topics(_) => None,
        }
    }

    /// None if it is in a room.
    pub(crate) fn topics_seat(&self) -> Option<&TopicsSeat> {
        match &self.seat {
            Seat::Topics(seat) => Some(seat),
            Seat::Room(_) => None,
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// The name of this connection for other threads.
    pub fn reference(&self) -> ConnectionRef {
        ConnectionRef {
            id: self.id,
            shard: self.shard.index(),
            room: self.room_seat().map(|seat| seat.room_id),
        }
    }

    /// From now on it also gets these events, and it is told all that it gets. What is
    /// published behind that answer reaches it.
    pub fn ask_for(&self, events: EventKinds) {
        if let Some(seat) = self.room_seat().filter(|_| self.is_open()) {
            let registry = self.shard.registry();
            registry.ask_for(self.reference(), seat, events);
        }
    }

    /// Goes on over another link, behind which waits what the first one has not
    /// taken yet. Once in the life of a connection that subscribes to topics, for
    /// the upgrade of a transport.
    ///
    /// # Errors
    /// `Unsupported` if that is not what this connection is.
    pub fn replace_link(self: &Rc<Self>, link: ReplacementLink) -> io::Result<()> {
        let (LocalLink::Bridge(before), Some(_)) = (&self.first_link, self.topics_seat()) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let link = match link {
            ReplacementLink::Socket(stream) => LocalLink::socket(stream, WireForm::Plain),
            ReplacementLink::Bridge(output) => LocalLink::Bridge(output),
        };
        if self.later_link.set(Box::new(link)).is_err() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let waiting: Vec<EncodedFrame> = before.take().frames.into();
        if let Err(reason) = self.greet(None, &waiting) {
            self.disconnect(reason);
        }
        Ok(())
    }

    /// False once `disconnect` was called, here or by the shard.
    pub fn is_open(&self) -> bool {
        self.end.get().is_none()
    }

    /// None while open.
    pub fn end_reason(&self) -> Option<DisconnectReason> {
        self.end.get()
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

    /// Sends the ping of its heartbeat.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn ask_for_sign_of_life(self: &Rc<Self>) -> Result<(), DisconnectReason> {
        let ping = self.topics_seat().and_then(|seat| seat.ping.as_ref());
        match (ping, self.link()) {
            (None, _) => self.send_bytes(Bytes::from_static(PING_FRAME)),
            (Some(ping), LocalLink::Socket { .. }) => self.send_bytes(ping.wire_bytes().clone()),
            (Some(ping), LocalLink::Bridge(output)) => {
                if output.push(ping, self.shard.outbox_max_bytes()) {
                    Ok(())
                } else {
                    Err(DisconnectReason::SlowConsumer)
                }
            }
        }
    }

    /// Reads from the socket without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; `Unsupported` for a bridge, which is fed instead.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.link() {
            LocalLink::Socket { stream, .. } => stream.try_read(buffer),
            LocalLink::Bridge(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Waits until `try_read` may give something.
    ///
    /// # Errors
    /// If the runtime is stopping.
    pub async fn readable(&self) -> io::Result<()> {
        match self.link() {
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
        // What was sent to it before still goes out.
        self.shard.end_row();
        if !self.is_open() {
            return;
        }
        self.end.set(Some(reason));
        self.shard.leave(self, reason);
        match (self.link(), reason.close_code()) {
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
        let LocalLink::Socket { stream, outbox, .. } = self.link() else {
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

    /// Wakes whoever waits for the outbox of a connection that is ending.
    pub(crate) fn note_written(&self) {
        if !self.is_open() {
            self.changed.notify_waiters();
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
        match self.link() {
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

    /// Queues wire bytes that are for this connection alone and writes what goes.
    ///
    /// # Errors
    /// Why the connection must end.
    pub(crate) fn send_bytes(self: &Rc<Self>, bytes: Bytes) -> Result<(), DisconnectReason> {
        let LocalLink::Socket { outbox, .. } = self.link() else {
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

    pub(crate) fn queue_and_drain(
        self: &Rc<Self>,
        pieces: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), DisconnectReason> {
        let LocalLink::Socket { outbox, .. } = self.link() else {
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
    pub(crate) fn write_outbox(&self) -> io::Result<()> {
        let LocalLink::Socket { stream, outbox, .. } = self.link() else {
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
    pub(crate) fn start_draining(self: &Rc<Self>) {
        let LocalLink::Socket { draining, .. } = self.link() else {
            return;
        };
        if !draining.replace(true) {
            tokio::task::spawn_local(drain(Rc::clone(self)));
        }
    }
}

async fn drain(connection: Rc<Connection>) {
    let LocalLink::Socket {
        stream,
        outbox,
        draining,
        ..
    } = connection.link()
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
            .field("seat", &self.seat)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
