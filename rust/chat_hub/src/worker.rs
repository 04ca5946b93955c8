//! The loop of a shard's thread.
//!
//! It takes what is queued, writes a part of every round it has, and yields:
//! sessions read, and the next rounds build up meanwhile. A round of a large room
//! takes several turns, so that other rooms get theirs in between.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chat_protocol::ids::RoomId;
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::registry::Registry;
use crate::room::RoomTimer;
use crate::round::Round;
use crate::shard::{Command, ShardState};
use crate::sync::{BATCH, Instant, READERS_PER_TURN, mpsc, sleep_until, spawn_local, yield_now};

/// A round that is being written.
struct Writing {
    round: Arc<Round>,
    readers: Vec<Rc<Connection>>,
    next: usize,
}

impl Writing {
    /// Writes to the next readers; true when all have been written to.
    fn turn(&mut self) -> bool {
        let end = self.readers.len().min(self.next + READERS_PER_TURN);
        for connection in &self.readers[self.next..end] {
            if connection.is_open()
                && let Err(reason) = connection.deliver(&self.round)
            {
                connection.disconnect(reason);
            }
        }
        self.next = end;
        end == self.readers.len()
    }
}

/// The loop of a shard.
struct Worker {
    state: Rc<ShardState>,
    queue: mpsc::UnboundedReceiver<Command>,
    /// Rounds that are being written, each of another room.
    writing: VecDeque<Writing>,
    /// Rooms whose round is written here.
    written: Vec<Arc<Round>>,
    /// In the order in which they expire.
    timers: VecDeque<(Instant, RoomId, RoomTimer)>,
}

impl Worker {
    /// Serves until it is told to shut down.
    async fn run(mut self) {
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            if self.writing.is_empty() && self.state.has_written_queued() {
                let far_away = || Instant::now() + Duration::from_secs(3600);
                let timer = self.next_timer().unwrap_or_else(far_away);
                tokio::select! {
                    biased;
                    taken = self.queue.recv_many(&mut commands, BATCH) => if taken == 0 {
                        return;
                    },
                    () = sleep_until(timer) => {}
                }
            } else {
                while commands.len() < BATCH
                    && let Ok(command) = self.queue.try_recv()
                {
                    commands.push(command);
                }
            }
            let mut taken = commands.drain(..);
            while let Some(command) = taken.next() {
                if let Some((patience, done)) = self.take(command) {
                    self.write_everything();
                    self.state.shut_down(patience).await;
                    taken.for_each(Command::refuse);
                    self.refuse_what_waits();
                    let _ = done.send(());
                    return;
                }
            }
            drop(taken);
            self.write_turn();
            self.state.write_queued(READERS_PER_TURN);
            // Sessions read what has come meanwhile; only then does a written
            // round end, so that the room's next one can wait for that.
            yield_now().await;
            for round in self.written.drain(..) {
                if round.shard_done() {
                    self.state.registry().end_round(round.room);
                }
            }
            self.run_timers();
        }
    }

    /// Does what a command says; gives back what to do for a shut-down.
    fn take(&mut self, command: Command) -> Option<(Duration, oneshot::Sender<()>)> {
        match command {
            Command::Attach(attachment) => self.state.attach(*attachment),
            Command::Write(round) => {
                let readers = self.state.readers(&round);
                self.writing.push_back(Writing {
                    round,
                    readers,
                    next: 0,
                });
            }
            Command::SetTimer { time, room, timer } => {
                let place = self.timers.partition_point(|(other, ..)| *other <= time);
                self.timers.insert(place, (time, room, timer));
            }
            Command::Topic(command) => self.state.take_up(command),
            Command::WriteGathered(done) => {
                self.state.write_queued(usize::MAX);
                let _ = done.send(());
            }
            Command::Close(id, reason) => {
                if let Some(connection) = self.state.find(id) {
                    connection.disconnect(reason);
                }
            }
            Command::Revoke(selector) => self.state.revoke(&selector),
            Command::Expire(now) => self.state.expire(now),
            Command::Dismiss { spread, done } => {
                let state = Rc::clone(&self.state);
                spawn_local(async move {
                    state.dismiss(spread).await;
                    let _ = done.send(());
                });
            }
            Command::Shutdown { patience, done } => return Some((patience, done)),
        }
        None
    }

    /// Ends the queue. Connections that were let in too late are told.
    fn refuse_what_waits(&mut self) {
        self.queue.close();
        while let Ok(command) = self.queue.try_recv() {
            command.refuse();
        }
    }

    /// A part of every round.
    fn write_turn(&mut self) {
        for _ in 0..self.writing.len() {
            let Some(mut writing) = self.writing.pop_front() else {
                return;
            };
            if writing.turn() {
                self.written.push(writing.round);
            } else {
                self.writing.push_back(writing);
            }
        }
    }

    /// All rounds to their ends, those of one room in order.
    fn write_everything(&mut self) {
        for mut writing in self.writing.drain(..) {
            while !writing.turn() {}
        }
        self.state.write_queued(usize::MAX);
    }

    fn next_timer(&self) -> Option<Instant> {
        let timer = self.timers.front().map(|(time, ..)| *time);
        self.state.beat_time().into_iter().chain(timer).min()
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some((_, room, timer)) = self.timers.pop_front_if(|(time, ..)| *time <= now) {
            self.state.registry().timer_expired(room, timer);
        }
        if self.state.beat_time().is_some_and(|due| due <= now) {
            self.state.beat();
        }
    }
}

/// Serves the commands of one shard until it is told to shut down.
pub(crate) async fn run(
    index: usize,
    registry: Arc<Registry>,
    queue: mpsc::UnboundedReceiver<Command>,
) {
    let worker = Worker {
        state: Rc::new(ShardState::new(index, registry)),
        queue,
        writing: VecDeque::new(),
        written: Vec::new(),
        timers: VecDeque::new(),
    };
    worker.run().await;
}
