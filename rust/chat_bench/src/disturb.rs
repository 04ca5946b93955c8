//! One client that misbehaves, in a process of its own: what it costs must not
//! be mistaken for what it does to the others.
//!
//! It floods at a fixed rate, which is far above any honest client's and cheap
//! for itself, and comes back as soon as the server has thrown it out.

use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::BenchError;
use crate::frame::{self, Opcode};
use crate::handshake;
use crate::plan::{Behaviour, DisturbPlan};

const TICK: Duration = Duration::from_millis(1);
const FRAMES_PER_TICK: usize = 50;
const LONGEST_PING: usize = 125;
const SLOW_READ: Duration = Duration::from_secs(1);
/// Little, so that unread data stays with the server.
const SLOW_RECEIVE_BUFFER: usize = 4096;
/// Before it comes back.
const PAUSE: Duration = Duration::from_millis(100);
const PING: &[u8] = b"{\"type\":\"ping\"}";
const TYPING: &[u8] = b"{\"type\":\"typing\",\"typing\":true}";

#[derive(Debug, Serialize)]
struct DisturbReport {
    /// How often the server ended the connection.
    ended: u64,
    /// Frames that the connection took.
    frames: u64,
}

/// Disturbs until standard input ends; a first line says that it has begun.
pub(crate) fn run(
    plan: &DisturbPlan,
    input: impl BufRead + Send + 'static,
) -> Result<(), BenchError> {
    let stop = end_of(input);
    let mut report = DisturbReport {
        ended: 0,
        frames: 0,
    };
    let mut client = Client::connect(plan)?;
    crate::report(&report)?;
    loop {
        match client.disturb(plan.behaviour, &stop, &mut report.frames) {
            Ok(()) => return crate::report(&report),
            Err(_) => {
                report.ended += 1;
                std::thread::sleep(PAUSE);
                client = Client::connect(plan)?;
            }
        }
    }
}

/// Is disconnected when the input ends.
fn end_of(mut input: impl BufRead + Send + 'static) -> Receiver<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::copy(&mut input, &mut std::io::sink());
        drop(sender);
    });
    receiver
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects and upgrades, waiting for it.
    fn connect(plan: &DisturbPlan) -> Result<Self, BenchError> {
        let address: SocketAddr = plan
            .address
            .parse()
            .map_err(|_| BenchError::Plan("an address is host:port"))?;
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if matches!(plan.behaviour, Behaviour::SlowReader) {
            socket.set_recv_buffer_size(SLOW_RECEIVE_BUFFER)?;
        }
        socket.connect(&address.into())?;
        socket.set_tcp_nodelay(true)?;
        // What is sent already must not go on disturbing when it has ended.
        socket.set_linger(Some(Duration::ZERO))?;
        let mut stream = std::net::TcpStream::from(socket);
        stream.write_all(handshake::request(&plan.address, &plan.path).as_bytes())?;
        let mut answer = Vec::new();
        while handshake::parse_answer(&answer)?.is_none() {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut stream, Token(0), Interest::READABLE)?;
        Ok(Self {
            stream,
            poll,
            events: Events::with_capacity(8),
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Returns when it shall stop; fails when the connection has ended.
    fn disturb(
        &mut self,
        behaviour: Behaviour,
        stop: &Receiver<()>,
        frames: &mut u64,
    ) -> Result<(), BenchError> {
        let batch = match behaviour {
            Behaviour::SlowReader => return self.read_slowly(stop),
            Behaviour::PingFlood => flood(Opcode::Ping, true, &[b'x'; LONGEST_PING]),
            Behaviour::FragmentFlood => {
                let mut start = Vec::new();
                frame::append_fragment(&mut start, Opcode::Text, false, |out| out.push(b'"'));
                self.stream.write_all(&start)?;
                flood(Opcode::Continuation, false, b"x")
            }
            Behaviour::FrameFlood => flood(Opcode::Text, true, PING),
            Behaviour::TypingFlood => flood(Opcode::Text, true, TYPING),
        };
        let mut written = 0;
        let mut next = Instant::now();
        while !stopped(stop) {
            self.discard_input()?;
            match self.stream.write(&batch[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if written == batch.len() {
                written = 0;
                *frames += FRAMES_PER_TICK as u64;
            }
            next += TICK;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    fn read_slowly(&mut self, stop: &Receiver<()>) -> Result<(), BenchError> {
        while !stopped(stop) {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(0) => return Err(end_of_stream()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            // Unread bytes would hide the end of the connection for hours.
            let until = Instant::now() + SLOW_READ;
            while !stopped(stop) && Instant::now() < until {
                self.poll.poll(&mut self.events, Some(TICK * 50))?;
                if self.events.iter().any(mio::event::Event::is_read_closed) {
                    return Err(end_of_stream());
                }
            }
        }
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), BenchError> {
        loop {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(end_of_stream()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn end_of_stream() -> BenchError {
    BenchError::Io(ErrorKind::UnexpectedEof.into())
}

/// The frames of one tick.
fn flood(opcode: Opcode, last: bool, payload: &[u8]) -> Vec<u8> {
    let mut batch = Vec::new();
    for _ in 0..FRAMES_PER_TICK {
        frame::append_fragment(&mut batch, opcode, last, |out| {
            out.extend_from_slice(payload);
        });
    }
    batch
}

fn stopped(stop: &Receiver<()>) -> bool {
    stop.try_recv() == Err(TryRecvError::Disconnected)
}
