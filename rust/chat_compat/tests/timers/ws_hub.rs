//! The socket of ws-hub: 30 s to say who one is, a ping every 30 s.

use std::time::Duration;

use chat_compat::System;
use serde_json::{Value, json};

use crate::fixture::{Client, PING, PONG, Service, TEXT, token};

const PATH: &str = "/compat/ws-hub";

/// A socket whose session has begun, and with it the time in which to say who one is.
async fn open(service: &Service) -> Client {
    let mut client = service.open(PATH).await;
    client.send(PING, b"");
    assert_eq!(client.frame().0, PONG);
    client
}

fn say(client: &mut Client, kind: &str, payload: &Value) {
    client.say(&json!({"type": kind, "payload": payload}).to_string());
}

fn expect(client: &mut Client, kind: &str, payload: &Value) {
    let expected = json!({"type": kind, "payload": payload});
    assert_eq!(client.json(), expected);
}

/// The next thing it hears is the answer to something it says now.
fn expect_nothing(client: &mut Client) {
    say(client, "LEAVE_ROOM", &json!({"roomId": "marker"}));
    expect(client, "ROOM_LEFT", &json!({"roomId": "marker"}));
}

fn log_in(client: &mut Client, user: &str, online: &[&str]) {
    let token = token(System::WsHub, user);
    say(client, "AUTHENTICATE", &json!({"token": token}));
    expect(
        client,
        "AUTHENTICATED",
        &json!({"userId": user, "username": user}),
    );
    expect(client, "ONLINE_USERS", &json!({"userIds": online}));
}

#[tokio::test]
async fn a_socket_that_is_nobodys_is_closed_after_half_a_minute() {
    let service = Service::start().await;
    let mut client = open(&service).await;
    service.clock.pass(Duration::from_millis(29_900)).await;
    // Saying something else is no reason to wait for longer.
    say(&mut client, "LEAVE_ROOM", &json!({"roomId": "x"}));
    expect(
        &mut client,
        "ERROR",
        &json!({"message": "Not authenticated"}),
    );
    service.clock.pass(Duration::from_millis(200)).await;
    assert_eq!(client.close_code(), 1008);
    drop(client);
    service.stop().await;
}

#[tokio::test]
async fn whoever_has_said_who_they_are_stays() {
    let service = Service::start().await;
    let mut client = open(&service).await;
    service.clock.pass(Duration::from_millis(29_900)).await;
    log_in(&mut client, "ana", &["ana"]);
    for _ in 0..3 {
        service.clock.pass(Duration::from_millis(30_100)).await;
        assert_eq!(client.frame().0, PING);
        client.send(PONG, b"");
        expect_nothing(&mut client);
    }
    drop(client);
    service.stop().await;
}

#[tokio::test]
async fn a_peer_that_answers_no_ping_is_dropped_and_offline() {
    let service = Service::start().await;
    let (mut alive, mut dead) = (open(&service).await, open(&service).await);
    log_in(&mut alive, "ana", &["ana"]);
    say(
        &mut dead,
        "AUTHENTICATE",
        &json!({"token": token(System::WsHub, "beto")}),
    );
    let beto = json!({"userId": "beto", "username": "beto"});
    expect(&mut dead, "AUTHENTICATED", &beto);
    assert_eq!(dead.json()["type"], "ONLINE_USERS");
    expect(&mut alive, "USER_ONLINE", &beto);
    service.clock.pass(Duration::from_millis(29_900)).await;
    expect_nothing(&mut alive);
    expect_nothing(&mut dead);
    service.clock.pass(Duration::from_millis(200)).await;
    for client in [&mut alive, &mut dead] {
        assert_eq!(client.frame().0, PING);
    }
    alive.send(PONG, b"");
    service.clock.pass(Duration::from_millis(29_500)).await;
    // Whatever it says meanwhile, it is a pong that counts.
    expect_nothing(&mut alive);
    expect_nothing(&mut dead);
    service.clock.pass(Duration::from_millis(600)).await;
    assert_eq!(dead.close_code(), 1011);
    // Its next ping is due at the same time.
    let mut frames = [alive.frame(), alive.frame()];
    frames.sort();
    let offline: Value = serde_json::from_slice(&frames[0].1).expect("JSON");
    let expected = json!({"type": "USER_OFFLINE", "payload": {"userId": "beto"}});
    assert_eq!((frames[0].0, offline), (TEXT, expected));
    assert_eq!(frames[1].0, PING);
    drop((alive, dead));
    service.stop().await;
}
