//! Sockets that stay open, and one command after the other for them.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use mio::Waker;

use serde::Serialize;

use crate::error::BenchError;
use crate::load::Room;
use crate::network::Network;
use crate::plan::{Command, SocketPlan};
use crate::server_process::{ServerProcess, own_cpu_time};

/// What connecting all sockets has cost.
#[derive(Debug, Serialize)]
struct ConnectReport {
    sockets: usize,
    /// Until the last one was open.
    seconds: f64,
    /// Until everything had gone quiet, since announcements of those who came
    /// belong to it too.
    server_cpu_seconds: f64,
    client_cpu_seconds: f64,
    resident_bytes: u64,
}

#[derive(Debug, Serialize)]
struct IdleReport {
    seconds: f64,
    server_cpu_seconds: f64,
    resident_bytes: u64,
}

/// Between commands nothing is due; only events count.
const LONG: Duration = Duration::from_secs(3600);

/// Connects, and carries out commands until standard input ends.
pub(crate) fn run(
    plan: &SocketPlan,
    input: impl BufRead + Send + 'static,
) -> Result<(), BenchError> {
    let process = ServerProcess::new(plan.server.pid);
    let mut network = Network::new(&plan.server)?;
    // Its events are lost when it goes, so it must not go with the thread.
    let waker = Arc::new(network.waker()?);
    let lines = read_lines(input, Arc::clone(&waker));
    let mut room = Room::new(&plan.sockets)?;
    crate::report(&connect(plan, &mut network, &mut room)?)?;
    while let Some(line) = next_line(&lines, &mut network, &mut room)? {
        match serde_json::from_str(&line)? {
            Command::Load(load) => {
                crate::report(&room.play(&load, &mut network, process)?)?;
            }
            Command::Idle { seconds } => {
                let cpu_before = process.cpu_time()?;
                room.idle(&mut network, seconds)?;
                crate::report(&IdleReport {
                    seconds: seconds.as_secs_f64(),
                    server_cpu_seconds: (process.cpu_time()? - cpu_before).as_secs_f64(),
                    resident_bytes: process.resident_bytes()?,
                })?;
            }
            Command::Reconnect => {
                network.sockets.drop_all();
                crate::report(&connect(plan, &mut network, &mut room)?)?;
            }
        }
    }
    Ok(())
}

/// Reads on a thread of its own, so that the sockets can be served meanwhile.
fn read_lines(mut input: impl BufRead + Send + 'static, waker: Arc<Waker>) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while input.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if sender.send(std::mem::take(&mut line)).is_err() || waker.wake().is_err() {
                return;
            }
        }
        drop(sender);
        // The other side is there as long as the process is.
        let _ = waker.wake();
    });
    receiver
}

/// Answers pings until there is something to do; none at the end.
fn next_line(
    lines: &Receiver<String>,
    network: &mut Network,
    room: &mut Room,
) -> Result<Option<String>, BenchError> {
    loop {
        match lines.try_recv() {
            Ok(line) => return Ok(Some(line)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => room.turn(network, Instant::now() + LONG)?,
        }
    }
}

fn connect(
    plan: &SocketPlan,
    network: &mut Network,
    room: &mut Room,
) -> Result<ConnectReport, BenchError> {
    let process = ServerProcess::new(plan.server.pid);
    let server_cpu_before = process.cpu_time()?;
    let client_cpu_before = own_cpu_time();
    let started = Instant::now();
    network.connect_all(&plan.sockets, plan.handshakes, plan.server.welcomes)?;
    let seconds = started.elapsed().as_secs_f64();
    room.wait_quiet(network)?;
    Ok(ConnectReport {
        sockets: plan.sockets.len(),
        seconds,
        server_cpu_seconds: (process.cpu_time()? - server_cpu_before).as_secs_f64(),
        client_cpu_seconds: (own_cpu_time() - client_cpu_before).as_secs_f64(),
        resident_bytes: process.resident_bytes()?,
    })
}
