use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn a_user_counts_once_whatever_the_connections() {
    let mut room = RoomPresence::new(2);
    assert_eq!(room.join(UserId(7), 0), Arrival::First);
    assert_eq!(room.join(UserId(7), 1), Arrival::Another);
    assert_eq!(room.join(UserId(5), 1), Arrival::First);
    assert_eq!(room.users().collect::<Vec<_>>(), [UserId(7), UserId(5)]);
    assert_eq!(room.leave(UserId(7), 0, None), Departure::NotLast);
    assert_eq!(room.shards().collect::<Vec<_>>(), [1]);
    assert_eq!(room.leave(UserId(7), 1, None), Departure::Gone);
    assert_eq!(room.leave(UserId(7), 1, None), Departure::NotLast);
    assert_eq!(room.leave(UserId(5), 1, None), Departure::Gone);
    assert!(room.is_empty());
}

#[test]
fn a_room_keeps_to_one_shard_until_it_is_large() {
    let mut room = RoomPresence::new(3);
    let mut next = || {
        let shard = room.shard_for_next([5, 3, 4].into_iter());
        room.join(UserId(1), shard);
        shard
    };
    for _ in 0..READERS_BEFORE_SPREADING {
        assert_eq!(next(), 1, "the least busy shard at first");
    }
    assert_eq!([next(), next()], [2, 0]);
    for _ in 0..2 * (READERS_BEFORE_SPREADING - 1) {
        assert_ne!(next(), 1);
    }
    assert_eq!(next(), 1);
}

/// What can happen in a room.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join(UserId),
    /// A connection of the user ends.
    End(UserId),
    /// All of them end, and there is no grace.
    Revoke(UserId),
    Pass(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = || (0..3).prop_map(UserId);
    let step = prop_oneof![
        3 => user().prop_map(Step::Join),
        3 => user().prop_map(Step::End),
        1 => user().prop_map(Step::Revoke),
        2 => (0..12_u64).prop_map(|seconds| Step::Pass(Duration::from_secs(seconds))),
    ];
    proptest::collection::vec(step, 1..80)
}

/// A room as the hub drives it, beside what must hold of it.
struct Model {
    room: RoomPresence,
    now: Instant,
    grace: Option<Duration>,
    connections: HashMap<UserId, u32>,
    /// When the last connection of each ended.
    ended: HashMap<UserId, Instant>,
    /// Whether the last thing said of each is that the user joined.
    announced: HashMap<UserId, bool>,
}

impl Model {
    fn new(grace: Option<Duration>) -> Self {
        Self {
            room: RoomPresence::new(1),
            now: Instant::now(),
            grace,
            connections: HashMap::new(),
            ended: HashMap::new(),
            announced: HashMap::new(),
        }
    }

    fn announce(&mut self, user: UserId, is_joined: bool) {
        let before = self.announced.insert(user, is_joined);
        assert_eq!(
            before.unwrap_or(false),
            !is_joined,
            "said twice of {user}: {is_joined}"
        );
    }

    fn end(&mut self, user: UserId, until: Option<Instant>) {
        let connections = self.connections.entry(user).or_default();
        *connections -= 1;
        let is_last = *connections == 0;
        match self.room.leave(user, 0, until) {
            Departure::NotLast => assert!(!is_last),
            Departure::Away => {
                assert!(is_last && until.is_some());
                self.ended.insert(user, self.now);
            }
            Departure::Gone => {
                assert!(is_last && until.is_none());
                self.announce(user, false);
            }
        }
    }

    fn take(&mut self, step: Step) {
        let open = |user| self.connections.get(&user).copied().unwrap_or(0);
        match step {
            Step::Join(user) => {
                let arrival = self.room.join(user, 0);
                *self.connections.entry(user).or_default() += 1;
                if arrival == Arrival::First {
                    self.announce(user, true);
                }
                if arrival == Arrival::Back {
                    assert!(self.ended.remove(&user).is_some());
                }
            }
            Step::End(user) if open(user) > 0 => {
                self.end(user, self.grace.map(|grace| self.now + grace));
            }
            Step::End(_) => {}
            Step::Revoke(user) => {
                for _ in 0..open(user) {
                    self.end(user, None);
                }
                for user in self.room.end_absences_of(|other| other == user) {
                    self.ended.remove(&user);
                    self.announce(user, false);
                }
                assert!(!self.room.contains(user));
            }
            Step::Pass(time) => {
                self.now += time;
                for user in self.room.end_absences(self.now) {
                    self.ended.remove(&user);
                    self.announce(user, false);
                }
            }
        }
    }

    fn check(&self) {
        for user in (0..3).map(UserId) {
            let is_open = self.connections.get(&user).is_some_and(|open| *open > 0);
            let is_awaited = self
                .ended
                .get(&user)
                .is_some_and(|ended| self.now < *ended + self.grace.unwrap_or_default());
            let is_there = self.room.contains(user);
            assert_eq!(is_there, is_open || is_awaited, "{user} is there");
            let is_away = self.room.away.iter().any(|(_, other)| *other == user);
            assert_eq!(is_away, is_awaited, "{user} is away");
            let announced = self.announced.get(&user).copied().unwrap_or(false);
            assert_eq!(announced, is_there, "what was said of {user} is so");
            let listed = self.room.users().filter(|other| *other == user).count();
            assert_eq!(listed, usize::from(is_there));
        }
        let next = self.room.next_absence_end();
        let ends = self.ended.values().min();
        let grace = self.grace.unwrap_or_default();
        assert_eq!(next, ends.map(|ended| *ended + grace));
    }
}

proptest! {
    #[test]
    fn what_is_announced_of_a_user_alternates_and_is_so(
        steps in steps(),
        grace in proptest::option::of((1..10_u64).prop_map(Duration::from_secs)),
    ) {
        let mut model = Model::new(grace);
        for step in steps {
            model.take(step);
            model.check();
        }
    }
}
