//! All sockets of the client on one thread: one poll, one read buffer, one timer.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};

use crate::error::BenchError;
use crate::plan::{Dialect, Place, Server};
use crate::socket::{Handler, Socket};
use crate::timer::Timer;

/// Holds what a server may write at once to a socket that has been idle.
const BUFFER_BYTES: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// No sockets have these numbers: their events only end the waiting.
const TIMER: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX - 2);
/// How long all handshakes together may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(120);

/// What is done between events.
pub(crate) trait Driver: Handler {
    /// Called after the frames of each socket, so that what they allow, or what
    /// is due meanwhile, is written at once.
    fn write(&mut self, sockets: &mut Sockets) -> Result<(), BenchError>;
}

/// The sockets by number; new ones take the place of old ones.
#[derive(Debug)]
pub(crate) struct Sockets {
    registry: Registry,
    address: SocketAddr,
    dialect: Dialect,
    sockets: Vec<Socket>,
}

impl Sockets {
    /// Connects socket `index`, which is an old one or the next one.
    pub(crate) fn connect(&mut self, index: usize, path: &str) -> Result<(), BenchError> {
        let socket = Socket::connect(
            &self.registry,
            Token(index),
            self.address,
            path,
            self.dialect,
        )?;
        match self.sockets.get_mut(index) {
            Some(old) => *old = socket,
            None => self.sockets.push(socket),
        }
        Ok(())
    }

    pub(crate) fn get(&mut self, index: usize) -> &mut Socket {
        &mut self.sockets[index]
    }

    pub(crate) fn drop_all(&mut self) {
        self.sockets.clear();
    }
}

#[derive(Debug)]
pub(crate) struct Network {
    poll: Poll,
    events: Events,
    timer: Timer,
    buffer: Vec<u8>,
    pub(crate) sockets: Sockets,
}

impl Network {
    pub(crate) fn new(server: &Server) -> Result<Self, BenchError> {
        let poll = Poll::new()?;
        let address = server.address.parse();
        Ok(Self {
            timer: Timer::new(poll.registry(), TIMER)?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; BUFFER_BYTES],
            sockets: Sockets {
                registry: poll.registry().try_clone()?,
                address: address.map_err(|_| BenchError::Plan("an address is host:port"))?,
                dialect: server.dialect,
                sockets: Vec::new(),
            },
            poll,
        })
    }

    /// Ends the waiting from another thread.
    pub(crate) fn waker(&self) -> Result<Waker, BenchError> {
        Ok(Waker::new(self.poll.registry(), WAKER)?)
    }

    /// Waits for events, at most until `until`, and handles those there are.
    pub(crate) fn turn(
        &mut self,
        until: Instant,
        driver: &mut impl Driver,
    ) -> Result<(), BenchError> {
        let timeout = if until <= Instant::now() {
            Some(Duration::ZERO)
        } else {
            self.timer.set(until)?;
            None
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let Token(index) = event.token();
            if let Some(socket) = self.sockets.sockets.get_mut(index) {
                socket.on_event(index, event, &mut self.buffer, driver);
                driver.write(&mut self.sockets)?;
            }
        }
        driver.write(&mut self.sockets)
    }

    /// Connects all places, `handshakes` at a time, and waits until all are open.
    pub(crate) fn connect_all(
        &mut self,
        places: &[Place],
        handshakes: usize,
        welcomes: bool,
    ) -> Result<(), BenchError> {
        let deadline = Instant::now() + CONNECT_PATIENCE;
        let mut opening = Opening {
            places,
            handshakes,
            welcomes,
            started: 0,
            waiting: vec![true; places.len()],
            open: 0,
            fault: None,
        };
        opening.write(&mut self.sockets)?;
        while opening.open < places.len() {
            self.turn(deadline, &mut opening)?;
            if let Some(fault) = opening.fault {
                return Err(fault);
            }
            if Instant::now() >= deadline {
                return Err(BenchError::Lost {
                    what: "handshakes",
                    arrived: opening.open as u64,
                    expected: places.len() as u64,
                    within: CONNECT_PATIENCE,
                });
            }
        }
        Ok(())
    }
}

/// Handshakes with a bound on how many are under way.
#[derive(Debug)]
struct Opening<'a> {
    places: &'a [Place],
    handshakes: usize,
    welcomes: bool,
    started: usize,
    waiting: Vec<bool>,
    open: usize,
    fault: Option<BenchError>,
}

impl Opening<'_> {
    fn opened(&mut self, socket: usize) {
        if std::mem::take(&mut self.waiting[socket]) {
            self.open += 1;
        }
    }
}

impl Handler for Opening<'_> {
    fn on_upgrade(&mut self, socket: usize) {
        if !self.welcomes {
            self.opened(socket);
        }
    }

    fn on_text(&mut self, socket: usize, _: &[u8], _: Instant) {
        self.opened(socket);
    }

    fn on_end(&mut self, socket: usize, reason: String) {
        self.fault
            .get_or_insert(BenchError::Ended { socket, reason });
    }
}

impl Driver for Opening<'_> {
    fn write(&mut self, sockets: &mut Sockets) -> Result<(), BenchError> {
        while self.started < self.places.len() && self.started - self.open < self.handshakes {
            let place = &self.places[self.started];
            sockets.connect(self.started, &place.path)?;
            sockets.get(self.started).set_peer(place.peer.clone());
            self.started += 1;
        }
        Ok(())
    }
}
