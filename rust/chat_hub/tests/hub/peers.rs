//! Hubs of several processes. What one tells reaches the other when the test says so.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chat_hub::{
    ChangePublication, Fetched, Hub, HubConfig, LoadedChange, LoadedChanges, LoadedTail, News,
    Notice, PeerId, Peers, Profile, Publication, Resume, Wishes,
};
use chat_protocol::ids::{Change, RoomId, Seq, UserId};
use chat_protocol::{EventKinds, Position};

use crate::fixture::{Client, join_with, profile, text};

const ROOM: RoomId = RoomId(1);
const HERE: PeerId = PeerId(1);

/// Something told, as it would travel.
#[derive(Debug)]
enum Told {
    Present(RoomId, Profile),
    Absent(RoomId, UserId),
    Message(RoomId, Publication),
    Change(RoomId, ChangePublication),
    Notice(Notice),
}

#[derive(Debug, Default)]
struct Recorder {
    told: Mutex<VecDeque<Told>>,
    listened_to: Mutex<BTreeSet<RoomId>>,
    wanted: Mutex<Vec<(RoomId, Position)>>,
}

impl Peers for Recorder {
    fn listen(&self, room: RoomId, listens: bool) {
        let mut rooms = self.listened_to.lock().unwrap();
        let changed = if listens {
            rooms.insert(room)
        } else {
            rooms.remove(&room)
        };
        assert!(changed, "said twice");
    }

    fn tell_presence(&self, room: RoomId, user: UserId, profile: Option<&Profile>) {
        self.push(match profile {
            Some(profile) => Told::Present(room, profile.clone()),
            None => Told::Absent(room, user),
        });
    }

    fn tell(&self, room: RoomId, news: News<'_>) {
        self.push(match news {
            News::Message(publication) => Told::Message(
                room,
                Publication {
                    seq: publication.seq,
                    frame: publication.frame.clone(),
                    own: publication.own.clone(),
                },
            ),
            News::Change(publication) => Told::Change(
                room,
                ChangePublication {
                    change: publication.change,
                    seq: publication.seq,
                    frame: publication.frame.clone(),
                    message: publication.message.clone(),
                },
            ),
            News::Typing { .. } => return,
        });
    }

    fn tell_all(&self, notice: &Notice) {
        self.push(Told::Notice(notice.clone()));
    }

    fn fetch(&self, room: RoomId, behind: Position) {
        self.wanted.lock().unwrap().push((room, behind));
    }
}

impl Recorder {
    fn push(&self, told: Told) {
        self.told.lock().unwrap().push_back(told);
    }

    /// Lets everything that was told reach the other hub.
    fn pass_on(&self, other: &Hub) {
        loop {
            let Some(told) = self.told.lock().unwrap().pop_front() else {
                return;
            };
            match told {
                Told::Present(room, profile) => other.arrived_elsewhere(HERE, room, profile),
                Told::Absent(room, user) => other.left_elsewhere(HERE, room, user),
                Told::Message(room, publication) => other.hear_message(room, publication),
                Told::Change(room, publication) => other.hear_change(room, publication),
                Told::Notice(notice) => other.hear_notice(notice),
            }
        }
    }
}

fn hub() -> (Hub, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let config = HubConfig {
        shards: 2,
        outbox_max_bytes: 1 << 20,
        resume_max_messages: 100,
        presence_grace: Duration::ZERO,
    };
    let peers: Arc<dyn Peers> = recorder.clone();
    let hub = Hub::start_among(config, peers).expect("threads");
    (hub, recorder)
}

fn at(seq: i64, change: i64) -> Position {
    Position {
        seq: Seq(seq),
        change: Some(Change(change)),
    }
}

fn join_at(hub: &Hub, user: i32, newest: Position) -> Client {
    let wishes = Wishes {
        newest,
        events: EventKinds::from_list("changes"),
        resume: None,
    };
    let mut client = join_with(hub, user, 1, wishes);
    assert_eq!(client.json()["message"], "welcome");
    assert_eq!(client.json()["type"], "users_online");
    client
}

fn message(seq: i64) -> Publication {
    Publication {
        seq: Some(Seq(seq)),
        frame: text(&seq.to_string()),
        own: None,
    }
}

fn change(number: i64, seq: i64) -> ChangePublication {
    ChangePublication {
        change: Change(number),
        seq: Seq(seq),
        frame: text(&format!("change {number}")),
        message: text(&format!("{seq}, changed")),
    }
}

async fn publish(hub: &Hub, seq: i64) {
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(seq), permit);
}

fn said(client: &mut Client) -> String {
    client.json()["message"]
        .as_str()
        .expect("a text")
        .to_owned()
}

#[tokio::test]
async fn users_are_there_wherever_they_are_connected() {
    let (one, told_by_one) = hub();
    let (other, told_by_other) = hub();
    let mut here = join_at(&one, 1, at(0, 0));
    told_by_one.pass_on(&other);
    let users = |hub: &Hub| -> Vec<i32> {
        let users = hub.online_users(ROOM);
        users.iter().map(|user| user.user_id.0).collect()
    };
    assert_eq!(users(&other), [1]);
    let there = join_at(&other, 2, at(0, 0));
    let again = join_at(&other, 1, at(0, 0));
    told_by_other.pass_on(&one);
    assert_eq!(here.json()["user_id"], 2);
    assert_eq!((users(&one), users(&other)), (vec![1, 2], vec![2, 1]));
    drop((there, again));
    let gone = || told_by_other.told.lock().unwrap().len() == 2;
    let begin = Instant::now();
    while !gone() {
        assert!(begin.elapsed() < crate::fixture::PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    told_by_other.pass_on(&one);
    let left = here.json();
    assert_eq!(
        (&left["type"], &left["user_id"]),
        (&"user_left".into(), &2.into())
    );
    publish(&one, 1).await;
    assert_eq!(said(&mut here), "1", "nobody said that user 1 has left");
    assert_eq!(users(&other), [1]);
    one.shut_down(Duration::ZERO).await;
    other.shut_down(Duration::ZERO).await;
}

#[tokio::test]
async fn numbers_decide_the_order() {
    let (one, told_by_one) = hub();
    let (other, told_by_other) = hub();
    let mut readers = [join_at(&one, 1, at(4, 0)), join_at(&other, 1, at(4, 0))];
    publish(&other, 6).await;
    publish(&one, 5).await;
    publish(&one, 7).await;
    let permit = one.admit(ROOM, 1).await;
    one.publish_change(ROOM, change(1, 6), permit);
    told_by_one.pass_on(&other);
    told_by_other.pass_on(&one);
    publish(&one, 5).await;
    publish(&one, 8).await;
    told_by_one.pass_on(&other);
    for reader in &mut readers {
        let mut heard: Vec<String> = (0..5).map(|_| said(reader)).collect();
        let change = heard.iter().position(|text| text == "change 1");
        let change = change.expect("the change");
        assert!(
            change
                > heard
                    .iter()
                    .position(|text| text == "6")
                    .expect("its message")
        );
        heard.remove(change);
        assert_eq!(heard, ["5", "6", "7", "8"]);
    }
    one.shut_down(Duration::ZERO).await;
    other.shut_down(Duration::ZERO).await;
}

#[tokio::test]
async fn what_does_not_arrive_is_fetched() {
    let (hub, recorder) = hub();
    let mut reader = join_at(&hub, 1, at(2, 1));
    hub.hear_message(ROOM, message(5));
    hub.expect(ROOM, at(5, 2));
    let begin = Instant::now();
    let wanted = loop {
        assert!(begin.elapsed() < crate::fixture::PATIENCE);
        if let Some(wanted) = recorder.wanted.lock().unwrap().first() {
            break *wanted;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(wanted, (ROOM, at(2, 1)));
    let fetched = Fetched {
        messages: vec![message(3), message(5)],
        changes: vec![change(2, 3)],
        up_to: at(5, 2),
    };
    hub.fill(ROOM, fetched);
    let heard: Vec<String> = (0..3).map(|_| said(&mut reader)).collect();
    assert_eq!(heard, ["3", "5", "change 2"]);
    publish(&hub, 6).await;
    assert_eq!(said(&mut reader), "6");
    hub.shut_down(Duration::ZERO).await;
}

#[tokio::test]
async fn what_is_fetched_late_does_not_follow_its_replay() {
    let (hub, _recorder) = hub();
    let mut reader = join_at(&hub, 1, at(0, 0));
    let mut other = join_at(&hub, 2, at(0, 0));
    let resume = Resume {
        since: at(0, 0),
        loaded: Some(LoadedTail {
            last: Seq(3),
            frames: (1..=3).map(|seq| text(&seq.to_string())).collect(),
            changes: Some(LoadedChanges {
                last: Change(1),
                after: Change(0),
                changes: vec![LoadedChange {
                    change: Change(1),
                    seq: Seq(2),
                    frame: text("change 1"),
                }],
            }),
        }),
        history: String::new(),
        changes: String::new(),
    };
    hub.resume(reader.connection, resume);
    let fetched = Fetched {
        messages: (1..=4).map(message).collect(),
        changes: vec![change(1, 2), change(2, 4)],
        up_to: at(4, 2),
    };
    hub.fill(ROOM, fetched);
    let user_joined = reader.json();
    assert_eq!(user_joined["type"], "user_joined");
    assert_eq!(reader.json()["type"], "resumed");
    let heard: Vec<String> = (0..6).map(|_| said(&mut reader)).collect();
    assert_eq!(heard, ["1", "2", "3", "change 1", "4", "change 2"]);
    let heard: Vec<String> = (0..6).map(|_| said(&mut other)).collect();
    assert_eq!(heard, ["1", "2", "3", "4", "change 1", "change 2"]);
    hub.shut_down(Duration::ZERO).await;
}

#[tokio::test]
async fn a_room_is_listened_to_while_somebody_reads_it() {
    let (hub, recorder) = hub();
    let rooms = || recorder.listened_to.lock().unwrap().len();
    hub.arrived_elsewhere(HERE, ROOM, Profile::clone(&profile(7)));
    assert_eq!((rooms(), hub.rooms_listened_to()), (0, vec![]));
    hub.hear_message(ROOM, message(9));
    let reader = join_at(&hub, 1, at(0, 0));
    let hold = hub.hold_room(ROOM);
    assert_eq!((rooms(), hub.rooms_listened_to()), (1, vec![ROOM]));
    hub.revoke_user(UserId(1));
    let begin = Instant::now();
    while hub.online_users(ROOM).len() > 1 {
        assert!(begin.elapsed() < crate::fixture::PATIENCE);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(rooms(), 1, "somebody is about to come back");
    drop((hold, reader));
    assert_eq!(rooms(), 0);
    hub.left_elsewhere(HERE, ROOM, UserId(7));
    assert!(hub.online_users(ROOM).is_empty());
    hub.shut_down(Duration::ZERO).await;
}
