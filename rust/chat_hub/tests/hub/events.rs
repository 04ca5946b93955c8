//! Who gets the events that connections have to ask for.

use std::io::Write as _;

use chat_hub::{ChangePublication, Hub, Wishes};
use chat_protocol::EventKinds;
use chat_protocol::ids::{Change, RoomId, Seq, UserId};

use crate::fixture::{Client, hub, join, join_with, message, text};

const ROOM: RoomId = RoomId(1);

fn join_asking(hub: &Hub, user: i32, events: &str) -> Client {
    let wishes = Wishes {
        events: EventKinds::from_list(events),
        ..Wishes::default()
    };
    join_with(hub, user, 1, wishes)
}

async fn publish(hub: &Hub, content: &str) {
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text(content)), permit);
}

async fn publish_change(hub: &Hub, number: i64, content: &str) {
    let permit = hub.admit(ROOM, 1).await;
    let publication = ChangePublication {
        change: Change(number),
        seq: Seq(1),
        frame: text(content),
        message: text("as it is now"),
    };
    hub.publish_change(ROOM, publication, permit);
}

/// What stands in the next frames that are not announcements, as far as `last`.
fn contents(client: &mut Client, last: &str) -> Vec<String> {
    let mut contents = Vec::new();
    while contents.last().is_none_or(|content| content != last) {
        let next = client.next();
        if !["welcome", "users_online", "user_joined"].contains(&next.as_str()) {
            contents.push(next);
        }
    }
    contents
}

#[tokio::test]
async fn events_reach_those_who_asked_among_everything_else() {
    let hub = hub(1 << 20);
    let mut nothing = join(&hub, 1, 1);
    let mut changes = join_asking(&hub, 2, "changes");
    let mut both = join_asking(&hub, 3, "changes,read");
    // While it is on its way to the database, the room waits for it: one round.
    let permit = hub.admit(ROOM, 1).await;
    publish(&hub, "1").await;
    publish_change(&hub, 1, "changed").await;
    hub.publish_read(UserId(3), &text("read"), None);
    hub.publish(ROOM, message(text("2")), permit);
    // And one in which there is nothing for most.
    publish_change(&hub, 2, "changed again").await;
    publish(&hub, "3").await;
    assert_eq!(contents(&mut nothing, "3"), ["1", "2", "3"]);
    assert_eq!(
        contents(&mut changes, "3"),
        ["1", "changed", "2", "changed again", "3"]
    );
    assert_eq!(
        contents(&mut both, "3"),
        ["1", "changed", "read", "2", "changed again", "3"]
    );
}

#[tokio::test]
async fn an_open_connection_can_ask() {
    let hub = hub(1 << 20);
    let mut client = join(&hub, 1, 1);
    publish_change(&hub, 1, "before").await;
    for (asked, answered) in [("read", "read"), ("changes,read", "changes,read")] {
        client.stream.write_all(asked.as_bytes()).unwrap();
        let answer = loop {
            let frame = client.json();
            if frame["type"] == "subscribed" {
                break frame;
            }
        };
        let events: Vec<&str> = answered.split(',').collect();
        assert_eq!(answer["events"], serde_json::json!(events));
    }
    publish_change(&hub, 2, "changed").await;
    hub.publish_read(UserId(1), &text("read"), None);
    publish(&hub, "1").await;
    assert_eq!(contents(&mut client, "1"), ["changed", "read", "1"]);
}

#[tokio::test]
async fn asking_ends_with_the_connection() {
    let hub = hub(1 << 20);
    let mut nothing = join(&hub, 1, 1);
    drop(join_asking(&hub, 2, "changes"));
    assert_eq!(contents(&mut nothing, "user_left"), ["user_left"]);
    publish_change(&hub, 1, "changed").await;
    publish(&hub, "1").await;
    assert_eq!(contents(&mut nothing, "1"), ["1"]);
}

#[tokio::test]
async fn typing_ends_with_the_last_connection_for_those_who_asked() {
    let hub = hub(1 << 20);
    let mut nothing = join(&hub, 1, 1);
    let mut typing = join_asking(&hub, 2, "typing");
    let typist = [join_asking(&hub, 3, "typing"), join(&hub, 3, 1)];
    hub.publish_typing(ROOM, UserId(3), true, text("types"));
    assert_eq!(contents(&mut typing, "types"), ["types"]);
    let [first, second] = typist;
    drop(first);
    publish(&hub, "1").await;
    assert_eq!(contents(&mut typing, "1"), ["1"]);
    drop(second);
    assert_eq!(contents(&mut typing, "user_left"), ["typing", "user_left"]);
    assert_eq!(
        contents(&mut nothing, "user_left"),
        ["types", "1", "user_left"]
    );
    // Nothing is left of it.
    let again = join(&hub, 3, 1);
    drop(again);
    assert_eq!(contents(&mut typing, "user_left"), ["user_left"]);
}

#[tokio::test]
async fn what_a_user_reads_is_told_wherever_the_user_is() {
    let hub = hub(1 << 20);
    let mut here = join_asking(&hub, 1, "read");
    let wishes = || Wishes {
        events: EventKinds::from_list("read"),
        ..Wishes::default()
    };
    let mut there = join_with(&hub, 1, 2, wishes());
    let mut old = join(&hub, 1, 1);
    let mut stranger = join_asking(&hub, 2, "read");
    drop(join_with(&hub, 1, 2, wishes()));
    hub.publish_read(UserId(1), &text("1"), Some(here.connection));
    hub.publish_read(UserId(1), &text("2"), None);
    hub.publish_read(UserId(9), &text("for nobody"), None);
    assert_eq!(contents(&mut there, "2"), ["1", "2"]);
    publish(&hub, "end").await;
    assert_eq!(contents(&mut here, "end"), ["2", "end"]);
    assert_eq!(contents(&mut old, "end"), ["end"]);
    assert_eq!(contents(&mut stranger, "end"), ["end"]);
}
