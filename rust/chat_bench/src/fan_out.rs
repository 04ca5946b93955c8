//! Messages to everybody in one room: a closed loop with a fixed number under way.
//!
//! A phase ends when the last message has reached the last socket, so the CPU
//! time between its two ends belongs to exactly the deliveries counted.

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::config::{FanOutPlan, Phase};
use crate::error::BenchError;
use crate::ledger::{Ledger, Sender};
use crate::marker::Marker;
use crate::server_process::ServerProcess;
use crate::sockets::Sockets;

#[derive(Debug, Serialize)]
struct PhaseReport {
    senders: usize,
    window: usize,
    messages: u64,
    deliveries: u64,
    seconds: f64,
    server_cpu_seconds: f64,
    bytes: u64,
    p50_ms: f64,
    p99_ms: f64,
}

pub(crate) async fn run(plan: &FanOutPlan) -> Result<(), BenchError> {
    let ledger = Rc::new(Ledger::new(plan.urls.len()));
    let sockets = Rc::new(Sockets::connect(&plan.urls, &ledger).await?);
    // The announcements of those who joined are not a part of what is measured.
    ledger.wait_quiet().await?;
    for phase in &plan.phases {
        let room = Room {
            plan,
            ledger: &ledger,
            sockets: &sockets,
        };
        room.play(*phase, plan.warm_up).await?;
        crate::report(&room.play(*phase, plan.phase_length).await?)?;
    }
    Ok(())
}

#[derive(Debug)]
struct Room<'a> {
    plan: &'a FanOutPlan,
    ledger: &'a Rc<Ledger>,
    sockets: &'a Rc<Sockets>,
}

impl Room<'_> {
    async fn play(&self, phase: Phase, length: Duration) -> Result<PhaseReport, BenchError> {
        if phase.senders == 0 || phase.window == 0 || phase.senders > self.plan.urls.len() {
            return Err(BenchError::Plan("a phase needs senders that have a socket"));
        }
        // Apart from each other, as the server knows no neighbours.
        let distance = self.plan.urls.len() / phase.senders;
        let senders: Vec<Sender> = (0..phase.senders)
            .map(|index| Sender {
                socket: index * distance,
                window: Rc::new(Semaphore::new(phase.window)),
            })
            .collect();
        let number = self.ledger.begin(senders.clone());

        let process = ServerProcess::new(self.plan.server_pid);
        let cpu_before = process.cpu_time()?;
        let started = Instant::now();
        let tasks: Vec<_> = senders
            .into_iter()
            .enumerate()
            .map(|(index, sender)| {
                let writer = Writer {
                    phase: number,
                    index: index as u64,
                    sender,
                    content_bytes: self.plan.content_bytes,
                    ledger: Rc::clone(self.ledger),
                    sockets: Rc::clone(self.sockets),
                };
                tokio::task::spawn_local(writer.write_until(started + length))
            })
            .collect();
        let mut messages = 0;
        for task in tasks {
            messages += task.await?;
        }
        let result = self.ledger.finish(messages).await?;
        let cpu = process.cpu_time()?.saturating_sub(cpu_before);
        Ok(PhaseReport {
            senders: phase.senders,
            window: phase.window,
            messages,
            deliveries: result.deliveries,
            seconds: result.finished.duration_since(started).as_secs_f64(),
            server_cpu_seconds: cpu.as_secs_f64(),
            bytes: result.bytes,
            p50_ms: result.latencies.percentile_ms(0.5),
            p99_ms: result.latencies.percentile_ms(0.99),
        })
    }
}

/// Writes the messages of one sender.
#[derive(Debug)]
struct Writer {
    phase: u64,
    index: u64,
    sender: Sender,
    content_bytes: usize,
    ledger: Rc<Ledger>,
    sockets: Rc<Sockets>,
}

impl Writer {
    /// Returns how many it wrote.
    async fn write_until(self, deadline: Instant) -> u64 {
        let mut sequence = 0;
        // A permit comes back with the sender's own copy of its message.
        while let Ok(Ok(permit)) = timeout_at(deadline, self.sender.window.acquire()).await {
            permit.forget();
            if Instant::now() >= deadline {
                break;
            }
            let marker = Marker {
                phase: self.phase,
                sender: self.index,
                sequence,
                sent_micros: self.ledger.now_micros(),
            };
            let content = marker.to_content(self.content_bytes);
            let frame = format!(r#"{{"type":"message","content":"{content}"}}"#);
            self.sockets.send(self.sender.socket, frame);
            sequence += 1;
        }
        sequence
    }
}
