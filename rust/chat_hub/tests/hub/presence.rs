//! Users whose connections end, and who may come back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chat_hub::Hub;
use chat_protocol::ids::{RoomId, UserId};

use crate::fixture::{Client, PATIENCE, hub_with_grace, join, message, profile, text};

const ROOM: RoomId = RoomId(1);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// Users of the room as its clients see them.
fn online(hub: &Hub) -> Vec<i32> {
    let profiles = hub.online_users(ROOM);
    profiles.iter().map(|profile| profile.user_id.0).collect()
}

/// Ends a connection, and waits until the hub has seen it.
fn end(hub: &Hub, client: Client) {
    let before = hub.connection_count();
    drop(client);
    until("the end is noticed", || hub.connection_count() < before);
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Reads the greeting, then gives what comes up to a message that is sent now.
async fn announced(hub: &Hub, client: &mut Client) -> Vec<(String, i64)> {
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text("marker")), permit);
    let mut seen = Vec::new();
    loop {
        let frame = client.json();
        match frame["type"].as_str().expect("a type") {
            "error" if frame["message"] == "marker" => return seen,
            kind @ ("user_joined" | "user_left") => {
                let user = frame["user_id"].as_i64().expect("an id");
                seen.push((kind.to_owned(), user));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_user_who_comes_back_in_time_was_never_gone() {
    let hub = hub_with_grace(LONG);
    let mut observer = join(&hub, 1, 1);
    let leaver = join(&hub, 2, 1);
    let joined = [("user_joined".to_owned(), 2)];
    assert_eq!(announced(&hub, &mut observer).await, joined);
    end(&hub, leaver);
    assert_eq!(
        online(&hub),
        [1, 2],
        "with the name, though nobody is connected"
    );
    let mut newcomer = join(&hub, 3, 1);
    assert_eq!(newcomer.next(), "welcome");
    assert_eq!(newcomer.json()["users"], serde_json::json!([1, 2, 3]));
    for _ in 0..3 {
        let back = join(&hub, 2, 1);
        end(&hub, back);
    }
    let joined = [("user_joined".to_owned(), 3)];
    assert_eq!(announced(&hub, &mut observer).await, joined);
}

#[tokio::test]
async fn a_user_who_does_not_come_back_is_announced_as_gone() {
    let hub = hub_with_grace(Duration::from_millis(100));
    let mut observer = join(&hub, 1, 1);
    for _ in 0..2 {
        end(&hub, join(&hub, 2, 1));
        let mut seen = Vec::new();
        while seen.last().is_none_or(|kind| kind != "user_left") {
            let frame = observer.json();
            if frame["user_id"] == 2 {
                seen.push(frame["type"].as_str().expect("a type").to_owned());
            }
        }
        assert_eq!(seen, ["user_joined", "user_left"]);
        assert_eq!(online(&hub), [1]);
        until("nothing is left behind", || {
            hub.profile(UserId(2)).is_none()
        });
    }
}

#[tokio::test]
async fn a_room_in_which_everybody_is_away_ends_in_time() {
    let hub = hub_with_grace(Duration::from_millis(50));
    end(&hub, join(&hub, 1, 1));
    until("the absence ends", || hub.presences().is_empty());
    until("nothing is left behind", || {
        hub.profile(UserId(1)).is_none()
    });
}

#[tokio::test]
async fn who_loses_the_access_is_gone_at_once() {
    let hub = hub_with_grace(LONG);
    let mut observer = join(&hub, 1, 1);
    let open = join(&hub, 2, 1);
    for user in 3..6 {
        end(&hub, join(&hub, user, 1));
    }
    hub.update_profile(profile(5).as_ref().clone());
    hub.revoke_user_in_room(UserId(2), ROOM);
    hub.revoke_user(UserId(3));
    hub.revoke_room_except(ROOM, HashSet::from([UserId(1), UserId(5)]));
    let mut left = Vec::new();
    while left.len() < 3 {
        let frame = observer.json();
        if frame["type"] == "user_left" {
            left.push(frame["user_id"].as_i64().expect("an id"));
        }
    }
    left.sort_unstable();
    assert_eq!(left, [2, 3, 4]);
    assert_eq!(online(&hub), [1, 5]);
    drop(open);
}
