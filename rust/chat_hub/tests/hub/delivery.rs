//! What readers see: order, presence, revocation, slow readers, the end.

use std::collections::HashSet;
use std::io::Write as _;
use std::time::Duration;

use crate::fixture::{Client, PATIENCE, hub, join, message, profile, text};
use chat_protocol::ids::{RoomId, UserId};

const ROOM: RoomId = RoomId(1);
/// For tests whose clients would not answer a close frame anyway.
const BRIEF: Duration = Duration::from_millis(20);

fn settled(client: &mut Client, frames: &[&str]) {
    for frame in frames {
        assert_eq!(client.next(), *frame);
    }
}

#[tokio::test]
async fn everybody_sees_publications_in_one_order() {
    let hub = hub(1 << 20);
    let mut clients: Vec<Client> = (1..=6).map(|user| join(&hub, user, 1)).collect();
    for (position, client) in clients.iter_mut().enumerate() {
        settled(client, &["welcome", "users_online"]);
        settled(client, &vec!["user_joined"; 5 - position]);
    }
    let publish = async |hub: chat_hub::Hub, publisher: usize| {
        for number in 0..200 {
            let permit = hub.admit(ROOM, 10).await;
            hub.publish(
                ROOM,
                message(text(&format!("{publisher}-{number}"))),
                permit,
            );
        }
    };
    let tasks: Vec<_> = (0..4)
        .map(|publisher| tokio::spawn(publish(hub.clone(), publisher)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seen: Vec<Vec<String>> = clients
        .iter_mut()
        .map(|client| (0..800).map(|_| client.next()).collect())
        .collect();
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(seen[0].iter().collect::<HashSet<_>>().len(), 800);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_user_joins_and_leaves_once_whatever_the_connections() {
    let hub = hub(1 << 20);
    let mut watcher = join(&hub, 1, 1);
    settled(&mut watcher, &["welcome", "users_online"]);
    let first = join(&hub, 2, 1);
    let second = join(&hub, 2, 1);
    settled(&mut watcher, &["user_joined"]);
    drop(first);
    // Seen behind the first connection's end, on the same shard or not.
    let mut third = join(&hub, 3, 1);
    settled(&mut third, &["welcome", "users_online"]);
    settled(&mut watcher, &["user_joined"]);
    drop(second);
    settled(&mut watcher, &["user_left"]);
    let online: Vec<i32> = hub
        .online_users(ROOM)
        .iter()
        .map(|profile| profile.user_id.0)
        .collect();
    assert_eq!(online, [1, 3]);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn lossy_frames_spare_their_author() {
    let hub = hub(1 << 20);
    let mut author = join(&hub, 1, 1);
    let mut reader = join(&hub, 2, 1);
    hub.publish_typing(ROOM, UserId(1), true, text("typing"));
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text("after")), permit);
    settled(
        &mut author,
        &["welcome", "users_online", "user_joined", "after"],
    );
    settled(&mut reader, &["welcome", "users_online", "typing", "after"]);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn revocation_reaches_whom_it_concerns_and_nobody_else() {
    let hub = hub(1 << 20);
    let mut owner = join(&hub, 1, 1);
    let mut stranger = join(&hub, 2, 1);
    let mut elsewhere = join(&hub, 2, 2);
    let before = hub.access_version();
    hub.revoke_room_except(ROOM, HashSet::from([UserId(1)]));
    assert_ne!(hub.access_version(), before);
    assert_eq!(stranger.close_code(), 1008);
    settled(
        &mut owner,
        &["welcome", "users_online", "user_joined", "user_left"],
    );
    hub.revoke_user(UserId(2));
    assert_eq!(elsewhere.close_code(), 1008);
    assert_eq!(hub.online_users(RoomId(2)), []);
    hub.reply(owner.connection, text("still here"));
    settled(&mut owner, &["still here"]);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_slow_reader_is_dropped_and_nobody_else_notices() {
    let hub = hub(64 * 1024);
    let mut slow = join(&hub, 1, 1);
    let mut quick = join(&hub, 2, 1);
    settled(&mut quick, &["welcome", "users_online"]);
    let big = "x".repeat(16 * 1024);
    // Far above the outbox and any socket buffer, while the quick one keeps up.
    let mut dropped = false;
    for _ in 0..1_000 {
        let permit = hub.admit(ROOM, big.len()).await;
        hub.publish(ROOM, message(text(&big)), permit);
        let mut seen = quick.next();
        if seen == "user_left" {
            dropped = true;
            seen = quick.next();
        }
        assert_eq!(seen, big);
        if dropped {
            break;
        }
    }
    assert!(dropped, "the slow reader is never dropped");
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text("on we go")), permit);
    settled(&mut quick, &["on we go"]);
    // What the slow one gets is whole frames, then the reason.
    assert_eq!(slow.close_code(), 4001);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_reader_that_was_behind_learns_what_changed_in_the_end() {
    let hub = hub(1 << 20);
    let mut slow = join(&hub, 1, 1);
    settled(&mut slow, &["welcome", "users_online"]);
    // More than the socket's buffer and a quarter of the outbox, less than both together.
    let big = "x".repeat(16 * 1024);
    for _ in 0..60 {
        let permit = hub.admit(ROOM, big.len()).await;
        hub.publish(ROOM, message(text(&big)), permit);
    }
    let mut other = join(&hub, 2, 1);
    settled(&mut other, &["welcome", "users_online"]);
    for _ in 0..10 {
        let passer_by = join(&hub, 3, 1);
        settled(&mut other, &["user_joined"]);
        drop(passer_by);
        settled(&mut other, &["user_left"]);
    }
    let permit = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text("after")), permit);
    settled(&mut other, &["after"]);
    for _ in 0..60 {
        assert_eq!(slow.next(), big);
    }
    // Of 21 announcements two, once there is room again: how it is now with users 2 and 3.
    settled(&mut slow, &["after", "user_joined", "user_left"]);
    hub.reply(slow.connection, text("nothing else"));
    settled(&mut slow, &["nothing else"]);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_newcomer_sees_everything_from_some_moment_on() {
    let hub = hub(1 << 20);
    let _first = join(&hub, 1, 1);
    let publisher = {
        let hub = hub.clone();
        tokio::spawn(async move {
            for number in 0..1_000 {
                let permit = hub.admit(ROOM, 10).await;
                hub.publish(ROOM, message(text(&number.to_string())), permit);
                tokio::task::yield_now().await;
            }
        })
    };
    let mut newcomers = Vec::new();
    while !publisher.is_finished() {
        newcomers.push(join(&hub, 2, 1));
        tokio::task::yield_now().await;
        if newcomers.len() == 20 {
            break;
        }
    }
    publisher.await.unwrap();
    let permit = hub.admit(ROOM, 10).await;
    hub.publish(ROOM, message(text("last")), permit);
    for newcomer in &mut newcomers {
        settled(newcomer, &["welcome", "users_online"]);
        let mut seen: Vec<String> = Vec::new();
        loop {
            let text = newcomer.next();
            if text == "last" {
                break;
            }
            // The others' second connections are not announced.
            seen.push(text);
        }
        let numbers: Vec<usize> = seen.iter().map(|text| text.parse().unwrap()).collect();
        let expected: Vec<usize> = (1_000 - numbers.len()..1_000).collect();
        assert_eq!(numbers, expected);
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_message_that_never_comes_back_holds_up_nothing() {
    let hub = hub(1 << 20);
    let mut reader = join(&hub, 1, 1);
    settled(&mut reader, &["welcome", "users_online"]);
    let hangs = hub.admit(ROOM, 1).await;
    let stored = hub.admit(ROOM, 1).await;
    hub.publish(ROOM, message(text("stored")), stored);
    settled(&mut reader, &["stored"]);
    drop(hangs);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn answers_come_behind_what_was_published_before() {
    let hub = hub(1 << 20);
    let mut reader = join(&hub, 1, 1);
    let mut other = join(&hub, 2, 1);
    settled(&mut reader, &["welcome", "users_online", "user_joined"]);
    for number in 0..500 {
        let permit = hub.admit(ROOM, 10).await;
        hub.publish(ROOM, message(text(&format!("message {number}"))), permit);
        hub.reply(reader.connection, text(&format!("answer {number}")));
    }
    settled(&mut other, &["welcome", "users_online"]);
    for number in 0..500 {
        settled(
            &mut reader,
            &[&format!("message {number}"), &format!("answer {number}")],
        );
        settled(&mut other, &[&format!("message {number}")]);
    }
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn one_frame_larger_than_the_outbox_still_arrives() {
    let hub = hub(1024);
    let mut reader = join(&hub, 1, 1);
    settled(&mut reader, &["welcome", "users_online"]);
    let big = "x".repeat(4 << 20);
    let permit = hub.admit(ROOM, big.len()).await;
    hub.publish(ROOM, message(text(&big)), permit);
    assert_eq!(reader.next(), big);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn shutting_down_says_so_and_refuses_newcomers() {
    let hub = hub(1 << 20);
    let mut client = join(&hub, 1, 1);
    let reading = std::thread::spawn(move || {
        let code = client.close_code();
        client.stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
        code
    });
    hub.shut_down(PATIENCE).await;
    assert_eq!(reading.join().unwrap(), 1012);
    assert_eq!(hub.connection_count(), 0);
    assert_eq!(hub.profile(UserId(1)), None);
    hub.shut_down(BRIEF).await;
}

#[tokio::test]
async fn a_new_name_shows_at_once() {
    let hub = hub(1 << 20);
    let client = join(&hub, 1, 1);
    let mut renamed = chat_hub::Profile::clone(&profile(1));
    renamed.username = "otra".into();
    hub.update_profile(renamed);
    assert_eq!(hub.profile(UserId(1)).unwrap().username, "otra");
    assert_eq!(hub.online_users(ROOM)[0].username, "otra");
    drop(client);
    hub.shut_down(BRIEF).await;
}
