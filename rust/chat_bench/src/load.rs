//! Messages for some time: who writes when, and how long deliveries take.
//!
//! A phase ends when the last message has reached the last socket, so the CPU
//! time between its two ends belongs to exactly the deliveries counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::BenchError;
use crate::ledger::{Ledger, Sender};
use crate::marker::MarkerFinder;
use crate::network::{Driver, Network, Sockets};
use crate::plan::{Load, LoadPlan, Pace};
use crate::server_process::{ServerProcess, own_cpu_time};
use crate::socket::Handler;

/// How long the last deliveries of a phase may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long without any frame nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(100);
const LONGEST_LATENCY_MICROS: u64 = 120_000_000;
/// Three digits: the goals are about differences of a few percent.
const LATENCY_DIGITS: u8 = 3;
const ERROR_FRAME: &[u8] = b"{\"type\":\"error\"";

#[derive(Debug, Serialize)]
pub(crate) struct LoadReport {
    messages: u64,
    deliveries: u64,
    seconds: f64,
    server_cpu_seconds: f64,
    client_cpu_seconds: f64,
    resident_bytes: u64,
    bytes: u64,
    loads: Vec<LatencyReport>,
}

/// The deliveries of one group of senders.
#[derive(Debug, Serialize)]
struct LatencyReport {
    deliveries: u64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

/// Everything about the messages on a set of sockets.
#[derive(Debug)]
pub(crate) struct Room {
    /// What the times in the marks count from.
    epoch: Instant,
    ledger: Ledger,
    finder: MarkerFinder,
    rooms_of_sockets: Vec<usize>,
    groups: Vec<Group>,
    /// Per sender, its group.
    group_of: Vec<usize>,
    /// Sockets with something to flush.
    touched: Vec<usize>,
    content_bytes: usize,
    stops: Instant,
    bytes: u64,
    last_frame: Instant,
    fault: Option<BenchError>,
}

#[derive(Debug)]
struct Group {
    senders: Vec<usize>,
    pacer: Pacer,
    latencies: Histogram<u64>,
}

#[derive(Debug)]
enum Pacer {
    Closed {
        /// Senders in the order of their turns.
        turns: VecDeque<usize>,
        free: usize,
    },
    Open {
        next: Instant,
        interval: Duration,
        burst: usize,
        turn: usize,
    },
}

impl Room {
    pub(crate) fn new(rooms_of_sockets: Vec<usize>) -> Self {
        let now = Instant::now();
        Self {
            epoch: now,
            ledger: Ledger::new(&rooms_of_sockets),
            finder: MarkerFinder::default(),
            rooms_of_sockets,
            groups: Vec::new(),
            group_of: Vec::new(),
            touched: Vec::new(),
            content_bytes: 0,
            stops: now,
            bytes: 0,
            last_frame: now,
            fault: None,
        }
    }

    /// Plays a warm-up and then what is reported.
    pub(crate) fn play(
        &mut self,
        plan: &LoadPlan,
        network: &mut Network,
        process: ServerProcess,
    ) -> Result<LoadReport, BenchError> {
        self.content_bytes = plan.content_bytes;
        self.play_for(plan.warm_up_seconds, &plan.loads, network, process)?;
        self.play_for(plan.seconds, &plan.loads, network, process)
    }

    /// Waits until frames have stopped coming; the time they did.
    pub(crate) fn wait_quiet(&mut self, network: &mut Network) -> Result<Instant, BenchError> {
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            self.turn(network, since + QUIET)?;
            since = since.max(self.last_frame);
        }
        Ok(since)
    }

    /// Does nothing but answer pings for some time.
    pub(crate) fn idle(
        &mut self,
        network: &mut Network,
        length: Duration,
    ) -> Result<(), BenchError> {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.turn(network, until)?;
        }
        Ok(())
    }

    /// Handles what comes, at most until `until`.
    pub(crate) fn turn(&mut self, network: &mut Network, until: Instant) -> Result<(), BenchError> {
        network.turn(until, self)?;
        self.fault.take().map_or(Ok(()), Err)
    }

    fn play_for(
        &mut self,
        length: Duration,
        loads: &[Load],
        network: &mut Network,
        process: ServerProcess,
    ) -> Result<LoadReport, BenchError> {
        self.assemble(loads)?;
        self.bytes = 0;
        let server_cpu_before = process.cpu_time()?;
        let client_cpu_before = own_cpu_time();
        let started = Instant::now();
        self.stops = started + length;
        for group in &mut self.groups {
            group.pacer.start(started);
        }
        self.write(&mut network.sockets)?;
        while Instant::now() < self.stops {
            self.turn(network, self.next_due())?;
        }
        let gives_up = self.stops + PATIENCE;
        while !self.ledger.is_complete() {
            self.turn(network, gives_up)?;
            if Instant::now() >= gives_up {
                return Err(BenchError::Lost {
                    what: "deliveries",
                    arrived: self.ledger.deliveries,
                    expected: self.ledger.awaited(),
                    within: PATIENCE,
                });
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let server_cpu = process.cpu_time()?.saturating_sub(server_cpu_before);
        let client_cpu = own_cpu_time().saturating_sub(client_cpu_before);
        let deliveries = self.ledger.deliveries;
        // Anything doubled would come now.
        self.wait_quiet(network)?;
        Ok(LoadReport {
            messages: self.ledger.senders.iter().map(|s| u64::from(s.next)).sum(),
            deliveries,
            seconds,
            server_cpu_seconds: server_cpu.as_secs_f64(),
            client_cpu_seconds: client_cpu.as_secs_f64(),
            resident_bytes: process.resident_bytes()?,
            bytes: self.bytes,
            loads: self.groups.iter().map(Group::report).collect(),
        })
    }

    /// Chooses the senders, spread over the sockets of their room, as a server
    /// knows no neighbours.
    fn assemble(&mut self, loads: &[Load]) -> Result<(), BenchError> {
        let rooms = self
            .rooms_of_sockets
            .iter()
            .max()
            .map_or(0, |last| last + 1);
        let mut sockets_of_rooms = vec![Vec::new(); rooms];
        for (socket, &room) in self.rooms_of_sockets.iter().enumerate() {
            sockets_of_rooms[room].push(socket);
        }
        let mut senders = Vec::new();
        self.groups.clear();
        self.group_of.clear();
        for load in loads {
            let first = senders.len();
            for room in load.first_room..load.first_room + load.rooms {
                let sockets = sockets_of_rooms
                    .get(room)
                    .filter(|sockets| (1..=sockets.len()).contains(&load.senders_per_room))
                    .ok_or(BenchError::Plan("a group needs senders that have a socket"))?;
                let distance = sockets.len() / load.senders_per_room;
                senders.extend((0..load.senders_per_room).map(|index| Sender {
                    socket: sockets[index * distance],
                    room,
                    next: 0,
                }));
            }
            let group: Vec<usize> = (first..senders.len()).collect();
            self.group_of.resize(senders.len(), self.groups.len());
            self.groups.push(Group {
                pacer: Pacer::new(load.pace, &group)?,
                senders: group,
                latencies: Histogram::new_with_bounds(1, LONGEST_LATENCY_MICROS, LATENCY_DIGITS)
                    .map_err(|_| BenchError::Plan("the histogram cannot be made"))?,
            });
        }
        self.ledger.begin(senders);
        Ok(())
    }

    fn next_due(&self) -> Instant {
        let due = self.groups.iter().filter_map(|group| match &group.pacer {
            Pacer::Open { next, .. } => Some(*next),
            Pacer::Closed { .. } => None,
        });
        due.chain([self.stops]).min().unwrap_or(self.stops)
    }

    fn micros(&self, time: Instant) -> u64 {
        time.saturating_duration_since(self.epoch).as_micros() as u64
    }

    fn queue(&mut self, sender: usize, at: Instant, sockets: &mut Sockets) {
        let micros = self.micros(at);
        let marker = self.ledger.mark(sender, micros);
        let socket = self.ledger.senders[sender].socket;
        let content_bytes = self.content_bytes;
        sockets
            .get(socket)
            .queue_text(|out| marker.append_message(out, content_bytes));
        if self.touched.last() != Some(&socket) {
            self.touched.push(socket);
        }
    }
}

impl Handler for Room {
    fn on_upgrade(&mut self, _: usize) {}

    fn on_text(&mut self, socket: usize, text: &[u8], at: Instant) {
        self.last_frame = at;
        let Some(marker) = self.finder.find(text) else {
            if text.starts_with(ERROR_FRAME) {
                let text = String::from_utf8_lossy(text);
                let fault = format!("socket {socket}: the server refused a frame: {text}");
                self.fault.get_or_insert(BenchError::Delivery(fault));
            }
            return;
        };
        if let Err(fault) = self.ledger.take(socket, marker) {
            let fault = format!("socket {socket}: {fault} ({marker:?})");
            self.fault.get_or_insert(BenchError::Delivery(fault));
            return;
        }
        let sender = marker.sender as usize;
        let latency = self.micros(at).saturating_sub(marker.sent_micros);
        let group = &mut self.groups[self.group_of[sender]];
        group.latencies.saturating_record(latency);
        self.bytes += text.len() as u64;
        if let Pacer::Closed { turns, free } = &mut group.pacer
            && self.ledger.senders[sender].socket == socket
        {
            turns.push_back(sender);
            *free += 1;
        }
    }

    fn on_end(&mut self, socket: usize, reason: String) {
        self.fault
            .get_or_insert(BenchError::Ended { socket, reason });
    }
}

impl Driver for Room {
    fn write(&mut self, sockets: &mut Sockets) -> Result<(), BenchError> {
        for index in 0..self.groups.len() {
            while let Some((sender, at)) = self.groups[index].next(self.stops) {
                self.queue(sender, at, sockets);
            }
        }
        for socket in self.touched.drain(..) {
            sockets.get(socket).flush()?;
        }
        Ok(())
    }
}

impl Group {
    /// Who writes now, if anybody does, and the time to count from.
    fn next(&mut self, stops: Instant) -> Option<(usize, Instant)> {
        match &mut self.pacer {
            Pacer::Closed { turns, free } => {
                if *free == 0 || turns.is_empty() {
                    return None;
                }
                let now = Instant::now();
                if now >= stops {
                    return None;
                }
                *free -= 1;
                Some((turns.pop_front()?, now))
            }
            Pacer::Open {
                next,
                interval,
                burst,
                turn,
            } => {
                let due = *next;
                if due > Instant::now() || due >= stops {
                    return None;
                }
                let sender = self.senders[*turn % self.senders.len()];
                *turn += 1;
                if turn.is_multiple_of(*burst) {
                    *next += *interval;
                }
                Some((sender, due))
            }
        }
    }

    fn report(&self) -> LatencyReport {
        let millis = |share| self.latencies.value_at_quantile(share) as f64 / 1000.0;
        LatencyReport {
            deliveries: self.latencies.len(),
            p50_ms: millis(0.5),
            p99_ms: millis(0.99),
            p999_ms: millis(0.999),
            max_ms: self.latencies.max() as f64 / 1000.0,
        }
    }
}

impl Pacer {
    fn new(pace: Pace, senders: &[usize]) -> Result<Self, BenchError> {
        match pace {
            Pace::Closed { in_flight } if in_flight > 0 && !senders.is_empty() => {
                // Enough turns for all to be taken at once.
                let turns = in_flight.max(senders.len());
                Ok(Self::Closed {
                    turns: senders.iter().copied().cycle().take(turns).collect(),
                    free: in_flight,
                })
            }
            Pace::Open { per_second, burst } if per_second > 0.0 && burst > 0 => Ok(Self::Open {
                next: Instant::now(),
                interval: Duration::from_secs_f64(burst as f64 / per_second),
                burst,
                turn: 0,
            }),
            _ => Err(BenchError::Plan("a pace needs messages and senders")),
        }
    }

    fn start(&mut self, now: Instant) {
        if let Self::Open { next, .. } = self {
            *next = now;
        }
    }
}
