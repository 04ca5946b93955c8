//! Connections that come and go, with a bound on how many there are at once.
//!
//! Most close as clients should; every fourth just vanishes.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::BenchError;
use crate::network::{Driver, Network, Sockets};
use crate::plan::ChurnPlan;
use crate::server_process::ServerProcess;
use crate::socket::Handler;

const ABRUPT_EVERY: u64 = 4;
/// How long the server may take for the next connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server may tidy up a little later; its memory is looked at after that.
const SETTLING: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
struct ChurnReport {
    connects: u64,
    seconds: f64,
    server_cpu_seconds: f64,
    resident_bytes_before: u64,
    resident_bytes_after: u64,
}

pub(crate) fn run(plan: &ChurnPlan) -> Result<(), BenchError> {
    if plan.paths.is_empty() || plan.concurrency == 0 {
        return Err(BenchError::Plan("churn needs paths and connections"));
    }
    let process = ServerProcess::new(plan.server.pid);
    churn(plan, plan.warm_up_connects)?;
    let resident_bytes_before = process.resident_bytes()?;
    let cpu_before = process.cpu_time()?;
    let started = Instant::now();
    let seconds = churn(plan, plan.connects)?.duration_since(started);
    crate::report(&ChurnReport {
        connects: plan.connects,
        seconds: seconds.as_secs_f64(),
        server_cpu_seconds: (process.cpu_time()? - cpu_before).as_secs_f64(),
        resident_bytes_before,
        resident_bytes_after: process.resident_bytes()?,
    })
}

/// Returns when the last connection ended, some time after that.
fn churn(plan: &ChurnPlan, connects: u64) -> Result<Instant, BenchError> {
    let mut network = Network::new(&plan.server)?;
    let mut turnover = Turnover {
        plan,
        connects,
        started: 0,
        ended: 0,
        slots: vec![Slot::Free; plan.concurrency],
        // From the back, so that the first comes first.
        changed: (0..plan.concurrency).rev().collect(),
        last_end: Instant::now(),
        fault: None,
    };
    while turnover.ended < connects {
        let gives_up = turnover.last_end + PATIENCE;
        turnover.write(&mut network.sockets)?;
        network.turn(gives_up, &mut turnover)?;
        if let Some(fault) = turnover.fault {
            return Err(fault);
        }
        if Instant::now() >= gives_up {
            return Err(BenchError::Lost {
                what: "connections",
                arrived: turnover.ended,
                expected: connects,
                within: PATIENCE,
            });
        }
    }
    std::thread::sleep(SETTLING);
    Ok(turnover.last_end)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    /// With the number of the connection.
    Opening(u64),
    /// Open, and to be closed now.
    Open(u64),
    Closing,
}

#[derive(Debug)]
struct Turnover<'a> {
    plan: &'a ChurnPlan,
    connects: u64,
    started: u64,
    ended: u64,
    slots: Vec<Slot>,
    /// Slots with something to do.
    changed: Vec<usize>,
    last_end: Instant,
    fault: Option<BenchError>,
}

impl Turnover<'_> {
    fn opened(&mut self, socket: usize) {
        if let Slot::Opening(number) = self.slots[socket] {
            self.slots[socket] = Slot::Open(number);
            self.changed.push(socket);
        }
    }

    fn free(&mut self, socket: usize) {
        self.ended += 1;
        self.last_end = Instant::now();
        self.slots[socket] = Slot::Free;
        self.changed.push(socket);
    }
}

impl Handler for Turnover<'_> {
    fn on_upgrade(&mut self, socket: usize) {
        if !self.plan.server.welcomes {
            self.opened(socket);
        }
    }

    fn on_text(&mut self, socket: usize, _: &[u8], _: Instant) {
        self.opened(socket);
    }

    fn on_end(&mut self, socket: usize, reason: String) {
        if self.slots[socket] == Slot::Closing {
            self.free(socket);
        } else {
            self.fault
                .get_or_insert(BenchError::Ended { socket, reason });
        }
    }
}

impl Driver for Turnover<'_> {
    fn write(&mut self, sockets: &mut Sockets) -> Result<(), BenchError> {
        while let Some(socket) = self.changed.pop() {
            match self.slots[socket] {
                Slot::Free if self.started < self.connects => {
                    let place = self.started % self.plan.paths.len() as u64;
                    sockets.connect(socket, &self.plan.paths[place as usize])?;
                    self.slots[socket] = Slot::Opening(self.started);
                    self.started += 1;
                }
                Slot::Open(number) if number % ABRUPT_EVERY == 0 => self.free(socket),
                Slot::Open(_) => {
                    self.slots[socket] = Slot::Closing;
                    let socket = sockets.get(socket);
                    socket.queue_close();
                    socket.flush()?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
