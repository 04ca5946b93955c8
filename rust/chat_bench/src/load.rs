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
use crate::plan::{LoadPlan, Pace, Place};
use crate::server_process::{ServerProcess, own_cpu_time};
use crate::signalling;
use crate::socket::Handler;

/// How long the last deliveries of a phase may take.
const PATIENCE: Duration = Duration::from_secs(30);
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
    /// Per socket, the room that its messages go to; none if it only answers.
    rooms_written: Vec<Option<usize>>,
    pacer: Pacer,
    latencies: Histogram<u64>,
    /// Sockets with something to flush.
    touched: Vec<usize>,
    content_bytes: usize,
    stops: Instant,
    bytes: u64,
    last_frame: Instant,
    fault: Option<BenchError>,
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
        senders: usize,
    },
}

impl Room {
    pub(crate) fn new(places: &[Place]) -> Result<Self, BenchError> {
        let now = Instant::now();
        let rooms_of_sockets: Vec<usize> = places.iter().map(|place| place.room).collect();
        let written = |place: &Place| {
            let only_answers = place.peer.as_ref().is_some_and(|peer| !peer.is_called);
            (!only_answers).then_some(place.room)
        };
        Ok(Self {
            epoch: now,
            ledger: Ledger::new(&rooms_of_sockets),
            finder: MarkerFinder::default(),
            rooms_written: places.iter().map(written).collect(),
            // Before the first phase nobody writes.
            pacer: Pacer::Closed {
                turns: VecDeque::new(),
                free: 0,
            },
            latencies: Histogram::new_with_bounds(1, LONGEST_LATENCY_MICROS, LATENCY_DIGITS)
                .map_err(|_| BenchError::Plan("the histogram cannot be made"))?,
            touched: Vec::new(),
            content_bytes: 0,
            stops: now,
            bytes: 0,
            last_frame: now,
            fault: None,
        })
    }

    /// Plays a warm-up and then what is reported.
    pub(crate) fn play(
        &mut self,
        plan: &LoadPlan,
        network: &mut Network,
        process: ServerProcess,
    ) -> Result<LoadReport, BenchError> {
        self.content_bytes = plan.content_bytes;
        self.play_for(plan.warm_up_seconds, plan, network, process)?;
        self.play_for(plan.seconds, plan, network, process)
    }

    /// Waits until frames of any kind have stopped coming.
    pub(crate) fn wait_quiet(&mut self, network: &mut Network) -> Result<(), BenchError> {
        let mut since = Instant::now();
        let gives_up = since + PATIENCE;
        while since.elapsed() < QUIET {
            self.turn(network, since + QUIET)?;
            since = since.max(self.last_frame);
            if since >= gives_up {
                return Err(BenchError::Restless(PATIENCE));
            }
        }
        Ok(())
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
        plan: &LoadPlan,
        network: &mut Network,
        process: ServerProcess,
    ) -> Result<LoadReport, BenchError> {
        let senders = self.choose_senders(plan.senders_per_room)?;
        self.pacer = Pacer::new(plan.pace, senders.len())?;
        self.ledger.begin(senders);
        self.latencies.reset();
        self.bytes = 0;
        let server_cpu_before = process.cpu_time()?;
        let client_cpu_before = own_cpu_time();
        let started = Instant::now();
        self.stops = started + length;
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
        // Anything doubled would come now, and be a fault. Other frames may come
        // for ever, if somebody floods.
        self.idle(network, QUIET)?;
        Ok(LoadReport {
            messages: self.ledger.senders.iter().map(|s| u64::from(s.next)).sum(),
            deliveries,
            seconds,
            server_cpu_seconds: server_cpu.as_secs_f64(),
            client_cpu_seconds: client_cpu.as_secs_f64(),
            resident_bytes: process.resident_bytes()?,
            bytes: self.bytes,
            p50_ms: self.latency_ms(0.5),
            p99_ms: self.latency_ms(0.99),
            p999_ms: self.latency_ms(0.999),
            max_ms: self.latency_ms(1.0),
        })
    }

    /// So many in each room, spread over its sockets, as a server knows no
    /// neighbours.
    fn choose_senders(&self, per_room: usize) -> Result<Vec<Sender>, BenchError> {
        let last = self.rooms_written.iter().flatten().max();
        let rooms = last.map_or(0, |last| last + 1);
        let mut sockets_of_rooms = vec![Vec::new(); rooms];
        for (socket, room) in self.rooms_written.iter().enumerate() {
            if let Some(room) = *room {
                sockets_of_rooms[room].push(socket);
            }
        }
        let mut senders = Vec::with_capacity(rooms * per_room);
        for (room, sockets) in sockets_of_rooms.iter().enumerate() {
            if !(1..=sockets.len()).contains(&per_room) {
                return Err(BenchError::Plan("each room needs sockets for its senders"));
            }
            let distance = sockets.len() / per_room;
            senders.extend((0..per_room).map(|index| Sender {
                socket: sockets[index * distance],
                room,
                next: 0,
            }));
        }
        Ok(senders)
    }

    fn next_due(&self) -> Instant {
        match self.pacer {
            Pacer::Open { next, .. } => next.min(self.stops),
            Pacer::Closed { .. } => self.stops,
        }
    }

    fn latency_ms(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1000.0
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
            .queue_message(|out| marker.append_message(out, content_bytes));
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
            if text.starts_with(ERROR_FRAME) || signalling::is_refusal(text) {
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
        self.latencies.saturating_record(latency);
        self.bytes += text.len() as u64;
        if let Pacer::Closed { turns, free } = &mut self.pacer
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
        while let Some((sender, at)) = self.pacer.next(self.stops) {
            self.queue(sender, at, sockets);
        }
        for socket in self.touched.drain(..) {
            sockets.get(socket).flush()?;
        }
        Ok(())
    }
}

impl Pacer {
    fn new(pace: Pace, senders: usize) -> Result<Self, BenchError> {
        match pace {
            Pace::Closed { in_flight } if in_flight > 0 && senders > 0 => {
                // Enough turns for all to be taken at once.
                let turns = in_flight.max(senders);
                Ok(Self::Closed {
                    turns: (0..senders).cycle().take(turns).collect(),
                    free: in_flight,
                })
            }
            Pace::Open { per_second, burst } if per_second > 0.0 && burst > 0 && senders > 0 => {
                Ok(Self::Open {
                    next: Instant::now(),
                    interval: Duration::from_secs_f64(burst as f64 / per_second),
                    burst,
                    turn: 0,
                    senders,
                })
            }
            _ => Err(BenchError::Plan("a pace needs messages and senders")),
        }
    }

    /// Who writes now, if anybody does, and the time to count from.
    fn next(&mut self, stops: Instant) -> Option<(usize, Instant)> {
        match self {
            Self::Closed { turns, free } => {
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
            Self::Open {
                next,
                interval,
                burst,
                turn,
                senders,
            } => {
                let due = *next;
                if due > Instant::now() || due >= stops {
                    return None;
                }
                let sender = *turn % *senders;
                *turn += 1;
                if turn.is_multiple_of(*burst) {
                    *next += *interval;
                }
                Some((sender, due))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_waits_for_messages_to_come_back() {
        let stops = Instant::now() + Duration::from_secs(60);
        let mut pacer = Pacer::new(Pace::Closed { in_flight: 2 }, 3).expect("a plan");
        let mut senders = || pacer.next(stops).map(|(sender, _)| sender);
        assert_eq!([senders(), senders(), senders()], [Some(0), Some(1), None]);
        if let Pacer::Closed { turns, free } = &mut pacer {
            turns.push_back(0);
            *free += 1;
        }
        assert_eq!(pacer.next(stops).map(|(sender, _)| sender), Some(2));
        assert!(pacer.next(stops).is_none());
    }

    #[test]
    fn an_open_loop_makes_up_for_what_it_missed() {
        let pace = Pace::Open {
            per_second: 2000.0,
            burst: 2,
        };
        let mut pacer = Pacer::new(pace, 3).expect("a plan");
        let Pacer::Open { next, .. } = &mut pacer else {
            panic!("another pace")
        };
        *next -= Duration::from_micros(1500);
        let first = *next;
        let stops = first + Duration::from_millis(2);
        let due: Vec<_> = std::iter::from_fn(|| pacer.next(stops)).collect();
        let second = first + Duration::from_millis(1);
        assert_eq!(due, [(0, first), (1, first), (2, second), (0, second)]);
    }
}
