//! A room as the hub keeps it: who is there, and what is on its way to them.

use std::collections::BTreeSet;

use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EncodedFrame, EventKind, EventKinds, Position, ResumedChanges, ServerFrame};
use chrono::{DateTime, Utc};
use tokio::sync::OwnedSemaphorePermit;

use crate::asking::Asking;
use crate::changes_tail::LoadedChange;
use crate::connection::ConnectionRef;
use crate::elsewhere::Elsewhere;
use crate::flow::{FlowTimer, RoomFlow};
use crate::hub::{ChangePublication, Publication};
use crate::line::{Line, LineNews};
use crate::presence::{Profile, RoomPresence};
use crate::round::{Audience, Delivery, Importance, Round};
use crate::sync::Instant;
use crate::tail::{LoadedTail, Tail, TailLimits};
use crate::typing::Typists;

/// Users whose coming and going a connection was spared.
pub(crate) type MissedPresence = BTreeSet<UserId>;

/// What a timer of a room is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomTimer {
    Flow(FlowTimer),
    /// The end of somebody's absence.
    Absence,
    /// The time at which somebody is no longer believed to type.
    Typing,
    /// The time at which what is missing is fetched.
    Missing,
}

/// A timer of a room, of which one is set at a time.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Instant>);

impl Alarm {
    /// When to set the timer, given when something is due next: not if it is set.
    pub(crate) fn set(&mut self, due: Option<Instant>) -> Option<Instant> {
        if self.0.is_some() {
            return None;
        }
        self.0 = due;
        due
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// The timer has expired, unless it was set for a room of the same id that is no
    /// more.
    pub(crate) fn expired(&mut self, now: Instant) {
        self.0 = self.0.filter(|time| *time > now);
    }
}

#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) presence: RoomPresence,
    pub(crate) elsewhere: Elsewhere,
    pub(crate) flow: RoomFlow,
    pub(crate) asking: Asking,
    pub(crate) typists: Typists,
    pub(crate) absence_alarm: Alarm,
    pub(crate) typing_alarm: Alarm,
    pub(crate) missing_alarm: Alarm,
    /// While the hub listens to what other processes publish here.
    pub(crate) line: Option<Box<Line>>,
    /// Only while somebody comes back, and a while after.
    tail: Option<Box<Tail>>,
    /// Those who are about to join and must not miss what is published until then.
    holds: usize,
}

/// What a connection wants beside what every reader of its room gets.
#[derive(Debug, Default)]
pub struct Wishes {
    pub events: EventKinds,
    /// Of a connection that comes back.
    pub resume: Option<Resume>,
    /// What the database had of the room when the connection was let in, where other
    /// processes publish too.
    pub newest: Position,
}

/// A connection that comes back.
#[derive(Debug)]
pub struct Resume {
    /// What it has seen.
    pub since: Position,
    /// The newest messages, if the hub did not have them.
    pub loaded: Option<LoadedTail>,
    /// Where clients read what does not follow.
    pub history: String,
    /// The same for changes.
    pub changes: String,
}

/// What a connection that comes back gets.
pub(crate) struct Replay {
    /// `resumed`, and what was missed if that is `complete`.
    pub(crate) frames: Vec<EncodedFrame>,
    /// What comes later and is not behind this place has been replayed.
    pub(crate) to: Seq,
    /// The same for changes, if the connection asked for those it missed.
    pub(crate) to_change: Option<Change>,
}

impl Room {
    pub(crate) fn new(shards: usize) -> Self {
        Self {
            presence: RoomPresence::new(shards),
            elsewhere: Elsewhere::default(),
            flow: RoomFlow::default(),
            asking: Asking::default(),
            typists: Typists::default(),
            absence_alarm: Alarm::default(),
            typing_alarm: Alarm::default(),
            missing_alarm: Alarm::default(),
            line: None,
            tail: None,
            holds: 0,
        }
    }

    /// Whether nothing would be lost by forgetting it.
    pub(crate) fn is_done(&self) -> bool {
        !self.is_used() && self.elsewhere.is_empty() && self.flow.is_idle()
    }

    /// Whether somebody reads it here, or is about to.
    pub(crate) fn is_used(&self) -> bool {
        !self.presence.is_empty() || self.holds > 0
    }

    /// Whether the user is there, here or at another process.
    pub(crate) fn contains(&self, user: UserId) -> bool {
        self.presence.contains(user) || self.elsewhere.contains(user)
    }

    /// Those who are there, in the order of their first connections here, then those who
    /// are at other processes only.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        let elsewhere = self.elsewhere.users();
        let only_elsewhere = elsewhere.filter(|user| !self.presence.contains(*user));
        self.presence.users().chain(only_elsewhere)
    }

    fn enqueue(&mut self, delivery: Delivery) {
        self.flow.push(delivery, Instant::now());
    }

    /// Takes up what is published, here or at another process, and delivers what has its
    /// turn.
    pub(crate) fn take_up(&mut self, news: LineNews) {
        let next = match &mut self.line {
            Some(line) => line.push(news),
            None => Some(news),
        };
        if let Some(news) = next {
            self.deliver(news);
        }
        self.deliver_waiting();
    }

    /// Delivers what has its turn in the line.
    pub(crate) fn deliver_waiting(&mut self) {
        while let Some(news) = self.line.as_mut().and_then(|line| line.pop()) {
            self.deliver(news);
        }
        if let Some(line) = &mut self.line {
            line.settle();
        }
    }

    fn deliver(&mut self, news: LineNews) {
        match news {
            LineNews::Message(publication, permit) => self.deliver_message(publication, permit),
            LineNews::Change(publication, permit) => self.deliver_change(publication, permit),
        }
    }

    fn deliver_message(&mut self, publication: Publication, permit: Option<OwnedSemaphorePermit>) {
        let Publication { seq, frame, own } = publication;
        if let Some(seq) = seq {
            self.record(seq, &frame);
        }
        let delivery = |frame, audience, _permit| Delivery {
            frame,
            audience,
            importance: Importance::Required,
            seq,
            change: None,
            kind: None,
            _permit,
        };
        if let Some((user, own)) = own {
            let others = Audience::EverybodyBut(user);
            self.enqueue(delivery(frame, others, None));
            self.enqueue(delivery(own, Audience::User(user), permit));
        } else {
            self.enqueue(delivery(frame, Audience::Everybody, permit));
        }
    }

    fn deliver_change(
        &mut self,
        publication: ChangePublication,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let ChangePublication {
            change,
            seq,
            frame,
            message,
        } = publication;
        let loaded = LoadedChange {
            change,
            seq,
            frame: frame.clone(),
        };
        self.record_change(loaded, message);
        if self.asking.for_kind(EventKind::Changes) {
            self.enqueue(Delivery {
                frame,
                audience: Audience::Everybody,
                importance: Importance::Required,
                seq: None,
                change: Some(change),
                kind: Some(EventKind::Changes),
                _permit: permit,
            });
        }
    }

    /// Keeps the room.
    pub(crate) fn hold(&mut self) {
        self.holds += 1;
    }

    pub(crate) fn let_go(&mut self) {
        self.holds -= 1;
        self.drop_stale_tail();
    }

    /// See `Hub::forget_tail`.
    pub(crate) fn forget_tail(&mut self) {
        if let Some(tail) = &mut self.tail {
            tail.begin_anew();
        }
    }

    pub(crate) fn drop_tail(&mut self) {
        self.tail = None;
    }

    fn drop_stale_tail(&mut self) {
        if self.holds == 0 && self.tail.as_ref().is_some_and(|tail| tail.is_stale()) {
            self.tail = None;
        }
    }

    /// Keeps from now on what is published.
    pub(crate) fn use_tail(&mut self, limits: &TailLimits) -> &mut Tail {
        let tail = self
            .tail
            .get_or_insert_with(|| Box::new(Tail::new(limits.clone())));
        tail.note_use();
        tail
    }

    /// Whether the newest messages must be loaded for a connection that has seen `since`.
    pub(crate) fn needs_loading(&self, since: Position) -> bool {
        self.tail.as_ref().is_none_or(|tail| {
            tail.needs_loading(since.seq)
                || since
                    .change
                    .is_some_and(|change| tail.changes.needs_loading(change))
        })
    }

    /// Remembers a message that is being published, if anybody may come back for it.
    fn record(&mut self, seq: Seq, frame: &EncodedFrame) {
        self.drop_stale_tail();
        if let Some(tail) = &mut self.tail {
            tail.push(seq, frame);
        }
    }

    /// Remembers a change that is being published, if anybody may come back for it.
    fn record_change(&mut self, change: LoadedChange, message: EncodedFrame) {
        self.drop_stale_tail();
        if let Some(tail) = &mut self.tail {
            tail.push_change(change, message);
        }
    }

    /// What a connection that comes back has missed.
    pub(crate) fn replay(&mut self, resume: Resume, limits: &TailLimits) -> Replay {
        let Resume {
            since,
            loaded,
            history,
            changes,
        } = resume;
        let tail = self.use_tail(limits);
        if let Some(loaded) = loaded {
            tail.extend(loaded);
        }
        let to = tail.last().unwrap_or(since.seq);
        let missed = tail.since(since.seq);
        let complete = missed.is_some();
        let to_change = since
            .change
            .map(|since| tail.changes.last().unwrap_or(since));
        let missed_changes = since.change.and_then(|since| tail.changes.since(since));
        let resumed = ServerFrame::Resumed {
            from: since.seq,
            to,
            complete,
            history: (!complete).then_some(&history),
            changes: since
                .change
                .zip(to_change)
                .map(|(from, to)| ResumedChanges {
                    from,
                    to,
                    complete: missed_changes.is_some(),
                    history: missed_changes.is_none().then_some(&changes),
                }),
        };
        let frames = std::iter::once(resumed.encode())
            .chain(missed.into_iter().flatten().cloned())
            .chain(missed_changes.into_iter().flatten().cloned())
            .collect();
        self.drop_stale_tail();
        Replay {
            frames,
            to,
            to_change,
        }
    }

    /// Tells everybody that a user came.
    pub(crate) fn announce_join(&mut self, user_id: UserId, timestamp: DateTime<Utc>) {
        self.announce(user_id, &ServerFrame::UserJoined { user_id, timestamp });
    }

    /// Tells everybody that a user went.
    pub(crate) fn announce_leave(&mut self, user_id: UserId, timestamp: DateTime<Utc>) {
        self.announce(user_id, &ServerFrame::UserLeft { user_id, timestamp });
    }

    fn announce(&mut self, user: UserId, frame: &ServerFrame<'_>) {
        self.enqueue(Delivery {
            frame: frame.encode(),
            audience: Audience::Everybody,
            importance: Importance::Presence(user),
            seq: None,
            change: None,
            kind: None,
            _permit: None,
        });
    }

    /// Tells one connection how it is now with users whose coming and going it has
    /// missed. Each gets a frame, whatever the connection believes: what else is on
    /// its way to it may say something older.
    pub(crate) fn catch_up(&mut self, to: ConnectionRef, missed: MissedPresence) {
        let timestamp = Utc::now();
        for user_id in missed {
            let frame = if self.contains(user_id) {
                ServerFrame::UserJoined { user_id, timestamp }
            } else {
                ServerFrame::UserLeft { user_id, timestamp }
            };
            self.push_only(to, frame.encode());
        }
    }

    /// Takes up a frame for one connection, behind everything so far.
    pub(crate) fn push_only(&mut self, to: ConnectionRef, frame: EncodedFrame) {
        self.push_replayed(to, frame, None, None);
    }

    /// Replays to an open connection, behind everything so far. From then on it has seen
    /// what the replay covers, so nothing of that reaches it again.
    pub(crate) fn push_replay(&mut self, connection: ConnectionRef, replay: Replay) {
        let Replay {
            frames,
            to,
            to_change,
        } = replay;
        let (mut to, mut to_change) = (Some(to), to_change);
        for frame in frames {
            self.push_replayed(connection, frame, to.take(), to_change.take());
        }
    }

    fn push_replayed(
        &mut self,
        to: ConnectionRef,
        frame: EncodedFrame,
        seq: Option<Seq>,
        change: Option<Change>,
    ) {
        self.enqueue(Delivery {
            frame,
            audience: Audience::Only(to),
            importance: Importance::Required,
            seq,
            change,
            kind: None,
            _permit: None,
        });
    }

    /// Tells those who have asked for it that a user does not type any more.
    pub(crate) fn announce_end_of_typing(&mut self, typist: &Profile) {
        if !self.asking.for_kind(EventKind::Typing) {
            return;
        }
        let frame = ServerFrame::Typing {
            user_id: typist.user_id,
            username: &typist.username,
            typing: false,
            timestamp: Utc::now(),
        };
        self.enqueue(Delivery {
            frame: frame.encode(),
            audience: Audience::EverybodyBut(typist.user_id),
            importance: Importance::Required,
            seq: None,
            change: None,
            kind: Some(EventKind::Typing),
            _permit: None,
        });
    }

    /// The list of those who are there.
    pub(crate) fn users_online(&self, timestamp: DateTime<Utc>) -> EncodedFrame {
        let users: Vec<_> = self.users().collect();
        ServerFrame::UsersOnline {
            users: &users,
            count: users.len(),
            timestamp,
        }
        .encode()
    }

    /// Takes the next round, with the shards that must write it; none if there
    /// is nobody to write to.
    pub(crate) fn begin_round(&mut self, id: RoomId) -> Option<(Round, Vec<usize>)> {
        let (first, deliveries) = self.flow.begin_round(Instant::now());
        let round = Round::new(id, first, deliveries);
        let shards: Vec<usize> = if round.is_for_most() {
            self.presence.shards().collect()
        } else {
            let mut shards: Vec<usize> =
                round.targets().iter().map(|target| target.shard).collect();
            shards.sort_unstable();
            shards.dedup();
            shards
        };
        if shards.is_empty() {
            self.flow.end_round();
            return None;
        }
        round.expect_shards(shards.len());
        Some((round, shards))
    }
}
