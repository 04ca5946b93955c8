//! What every socket has received, checked while it arrives.
//!
//! Within a phase the first socket that gets its k-th message decides what the
//! k-th message is; the k-th of every other socket must be the same. A message
//! is taken up only as the next one of its sender. So once all counts are equal
//! to what was sent, each socket got each message exactly once in one order.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

use crate::error::BenchError;
use crate::histogram::Histogram;
use crate::marker::Marker;

/// How long the last deliveries of a phase may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long without any frame nothing is on its way any more.
const QUIET: Duration = Duration::from_millis(200);

/// One sender: the socket it writes to and the room for messages under way.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) socket: usize,
    pub(crate) window: Rc<Semaphore>,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    started: Instant,
    state: RefCell<State>,
    complete: Notify,
}

#[derive(Debug)]
struct State {
    phase: u64,
    senders: Vec<Sender>,
    /// Per sender, what its next message must be.
    next_sequence: Vec<u64>,
    /// Sender and sequence in the order of the server.
    order: Vec<(u64, u64)>,
    /// Per socket, how many messages it has got.
    received: Vec<usize>,
    deliveries: u64,
    expected: Option<u64>,
    bytes: u64,
    latencies: Histogram,
    last_frame: Instant,
    fault: Option<String>,
}

/// What a phase came to.
#[derive(Debug)]
pub(crate) struct PhaseResult {
    pub(crate) deliveries: u64,
    pub(crate) finished: Instant,
    /// Of all text frames delivered.
    pub(crate) bytes: u64,
    pub(crate) latencies: Histogram,
}

impl Ledger {
    pub(crate) fn new(sockets: usize) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            complete: Notify::new(),
            state: RefCell::new(State {
                phase: 0,
                senders: Vec::new(),
                next_sequence: Vec::new(),
                order: Vec::new(),
                received: vec![0; sockets],
                deliveries: 0,
                expected: None,
                bytes: 0,
                latencies: Histogram::default(),
                last_frame: now,
                fault: None,
            }),
        }
    }

    /// Starts a phase; returns its number for the marks.
    pub(crate) fn begin(&self, senders: Vec<Sender>) -> u64 {
        let state = &mut *self.state.borrow_mut();
        state.phase += 1;
        state.next_sequence = vec![0; senders.len()];
        state.senders = senders;
        state.order.clear();
        state.received.fill(0);
        state.deliveries = 0;
        state.bytes = 0;
        state.expected = None;
        state.latencies = Histogram::default();
        state.phase
    }

    pub(crate) fn now_micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Takes note of a text frame that a socket received.
    pub(crate) fn on_frame(&self, socket: usize, frame: &str) {
        let now = Instant::now();
        let state = &mut *self.state.borrow_mut();
        state.last_frame = now;
        let Some(marker) = Marker::find(frame) else {
            if frame.starts_with(r#"{"type":"error""#) {
                state.fault(format!("the server refused a frame: {frame}"));
            }
            return;
        };
        if let Err(fault) = state.take(socket, marker) {
            state.fault(format!("socket {socket}: {fault} ({marker:?})"));
            self.complete.notify_one();
            return;
        }
        let sent = self.started + Duration::from_micros(marker.sent_micros);
        state.latencies.record(now.saturating_duration_since(sent));
        state.bytes += frame.len() as u64;
        state.deliveries += 1;
        if state.expected == Some(state.deliveries) {
            self.complete.notify_one();
        }
    }

    /// A socket ended; during a run that is a fault.
    pub(crate) fn on_end(&self, socket: usize, reason: &str) {
        self.state
            .borrow_mut()
            .fault(format!("socket {socket} ended: {reason}"));
        self.complete.notify_one();
    }

    /// Waits until `sent` messages have reached every socket, and makes sure
    /// that nothing more arrives.
    pub(crate) async fn finish(&self, sent: u64) -> Result<PhaseResult, BenchError> {
        let expected = sent * self.state.borrow().received.len() as u64;
        let deadline = Instant::now() + PATIENCE;
        self.state.borrow_mut().expected = Some(expected);
        while self.state.borrow().awaits(expected) {
            let left = deadline.saturating_duration_since(Instant::now());
            if timeout(left, self.complete.notified()).await.is_err() {
                return Err(BenchError::Lost {
                    delivered: self.state.borrow().deliveries,
                    expected,
                    within: PATIENCE,
                });
            }
        }
        let finished = self.state.borrow().last_frame;
        self.wait_quiet().await?;
        let state = &mut *self.state.borrow_mut();
        if state.deliveries != expected {
            let surplus = state.deliveries - expected;
            return Err(BenchError::Delivery(format!(
                "{surplus} surplus deliveries"
            )));
        }
        Ok(PhaseResult {
            deliveries: expected,
            finished,
            bytes: state.bytes,
            latencies: std::mem::take(&mut state.latencies),
        })
    }

    /// Waits until frames have stopped coming.
    pub(crate) async fn wait_quiet(&self) -> Result<(), BenchError> {
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            tokio::time::sleep_until(since + QUIET).await;
            since = since.max(self.state.borrow().last_frame);
        }
        match self.state.borrow_mut().fault.take() {
            Some(fault) => Err(BenchError::Delivery(fault)),
            None => Ok(()),
        }
    }
}

impl State {
    fn take(&mut self, socket: usize, marker: Marker) -> Result<(), &'static str> {
        if marker.phase != self.phase {
            return Err("a message of an earlier phase");
        }
        let identity = (marker.sender, marker.sequence);
        let position = self.received[socket];
        match self.order.get(position) {
            Some(expected) if *expected == identity => {}
            Some(_) => return Err("another message than the other sockets got at this place"),
            None => {
                let next = usize::try_from(marker.sender)
                    .ok()
                    .and_then(|sender| self.next_sequence.get_mut(sender))
                    .ok_or("an unknown sender")?;
                if *next != marker.sequence {
                    return Err("not the next message of its sender");
                }
                *next += 1;
                self.order.push(identity);
            }
        }
        self.received[socket] += 1;
        for (index, sender) in self.senders.iter().enumerate() {
            if sender.socket == socket && index as u64 == marker.sender {
                sender.window.add_permits(1);
            }
        }
        Ok(())
    }

    fn awaits(&self, expected: u64) -> bool {
        self.deliveries < expected && self.fault.is_none()
    }

    /// The first fault is the one to look at.
    fn fault(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(phase: u64, sender: u64, sequence: u64) -> String {
        let marker = Marker {
            phase,
            sender,
            sequence,
            sent_micros: 0,
        };
        format!(
            r#"{{"type":"message","content":"{}"}}"#,
            marker.to_content(30)
        )
    }

    /// Two sockets, both of them senders.
    fn ledger() -> (Ledger, Vec<Sender>) {
        let ledger = Ledger::new(2);
        let senders: Vec<Sender> = (0..2)
            .map(|socket| Sender {
                socket,
                window: Rc::new(Semaphore::new(0)),
            })
            .collect();
        ledger.begin(senders.clone());
        (ledger, senders)
    }

    #[tokio::test(start_paused = true)]
    async fn equal_order_on_all_sockets_is_complete() {
        let (ledger, senders) = ledger();
        for socket in 0..2 {
            ledger.on_frame(socket, &frame(1, 1, 0));
            ledger.on_frame(socket, &frame(1, 0, 0));
        }
        let result = ledger.finish(2).await.expect("complete");
        assert_eq!(result.deliveries, 4);
        for sender in senders {
            assert_eq!(
                sender.window.available_permits(),
                1,
                "its own copy counts once"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_kind_of_fault_is_found() {
        let swapped = [
            (0, frame(1, 0, 0)),
            (0, frame(1, 1, 0)),
            (1, frame(1, 1, 0)),
        ];
        let doubled = [
            (0, frame(1, 0, 0)),
            (0, frame(1, 0, 0)),
            (1, frame(1, 0, 0)),
        ];
        let skipped = [
            (0, frame(1, 0, 1)),
            (1, frame(1, 0, 1)),
            (1, frame(1, 0, 1)),
        ];
        let stale = [
            (0, frame(0, 0, 0)),
            (1, frame(1, 0, 0)),
            (1, frame(1, 0, 0)),
        ];
        let refused = r#"{"type":"error","message":"no"}"#.to_owned();
        let error = [(0, refused.clone()), (0, refused.clone()), (1, refused)];
        for frames in [swapped, doubled, skipped, stale, error] {
            let (ledger, _) = ledger();
            for (socket, text) in &frames {
                ledger.on_frame(*socket, text);
            }
            let result = ledger.finish(1).await;
            assert!(
                matches!(result, Err(BenchError::Delivery(_))),
                "{frames:?} gave {result:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_delivery_is_reported_as_lost() {
        let (ledger, _) = ledger();
        ledger.on_frame(0, &frame(1, 0, 0));
        let result = ledger.finish(1).await;
        assert!(
            matches!(
                result,
                Err(BenchError::Lost {
                    delivered: 1,
                    expected: 2,
                    ..
                })
            ),
            "{result:?}"
        );
    }
}
