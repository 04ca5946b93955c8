//! Requests, whichever process they reach.

use serde_json::{Value, json};

use crate::client::{Client, WS_HUB};
use crate::process::{Process, Two};

const OPEN: &str = "EIO=4&transport=polling";

struct Polling {
    query: String,
}

impl Polling {
    async fn open(process: &Process) -> Self {
        let opened = process.engine("GET", OPEN, "").await;
        let packet = String::from_utf8(opened.body).expect("a text");
        let open: Value = serde_json::from_str(&packet[1..]).expect("JSON");
        let sid = open["sid"].as_str().expect("an id");
        Self {
            query: format!("{OPEN}&sid={sid}"),
        }
    }

    async fn post(&self, process: &Process, body: &str) {
        let answer = process.engine("POST", &self.query, body).await;
        assert_eq!((answer.status, &*answer.body), (200, &b"ok"[..]));
    }

    async fn get(&self, process: &Process) -> String {
        let answer = process.engine("GET", &self.query, "").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.content_type, "text/plain; charset=UTF-8");
        String::from_utf8(answer.body).expect("a text")
    }
}

#[tokio::test]
async fn a_session_that_polls_does_so_at_any_process() {
    let two = Two::start("polling").await;
    let mut ana = Client::join(&two.home, "ana").await;
    for opened_at_edge in [true, false] {
        let (one, other) = if opened_at_edge {
            (&two.edge, &two.home)
        } else {
            (&two.home, &two.edge)
        };
        let session = Polling::open(one).await;
        session.post(other, r#"40/rooms,{"name":"beto"}"#).await;
        assert!(session.get(one).await.starts_with("40/rooms,{"));
        session.post(one, r#"42/rooms,1["join"]"#).await;
        assert_eq!(session.get(other).await, "43/rooms,1[]");
        session.post(other, r#"42/rooms,["say","hola"]"#).await;
        assert_eq!(ana.event().await.1, json!("hola"));
        let (heard, ()) = tokio::join!(session.get(one), async {
            ana.emit("say", &json!("hola")).await;
        });
        assert_eq!(heard, r#"42/rooms,["said","hola"]"#);
        session.post(one, "1").await;
        assert_eq!(ana.event().await, ("gone".to_owned(), json!("beto")));
    }
    drop(ana);
    two.stop().await;
}

#[tokio::test]
async fn a_session_that_polls_is_upgraded_at_any_process() {
    let two = Two::start("upgrade").await;
    for process in [&two.home, &two.edge] {
        let session = Polling::open(process).await;
        session.post(&two.edge, r#"40/rooms,{"name":"ana"}"#).await;
        let target = format!("/socket.io/?{}", session.query);
        let target = target.replace("transport=polling", "transport=websocket");
        let mut client = Client::open(&two.edge, &target).await;
        client.say("2probe").await;
        assert_eq!(client.text().await, "3probe");
        assert!(session.get(process).await.starts_with("40/rooms,{"));
        client.say("5").await;
        assert_eq!(client.call("join", json!(1)).await, json!(1));
        client.close().await;
    }
    two.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_ends_its_session() {
    let two = Two::start("abandon").await;
    let session = Polling::open(&two.edge).await;
    let request = chat_socketio::EngineRequest {
        query: session.query.clone(),
        authorization: None,
    };
    let wait = two.edge.engine("GET", &session.query, "");
    let abandon = async { two.edge.relay.abandon("/socket.io", &request) };
    let (answer, ()) = tokio::join!(wait, abandon);
    // A refusal, or the end of the session if it was there first.
    assert_ne!(answer.body, b"6", "{answer:?}");
    let answer = two.edge.engine("GET", &session.query, "").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    two.stop().await;
}

#[tokio::test]
async fn what_a_request_changes_is_told_at_all_processes() {
    let two = Two::start("rest").await;
    let mut people = Vec::new();
    for (process, name) in [(&two.home, "ana"), (&two.edge, "beto")] {
        let new = json!({
            "username": name,
            "email": format!("{name}@example.com"),
            "password": "secret-7",
        });
        let (status, made) = process
            .ws_hub("POST", "/api/auth/register", None, &new)
            .await;
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().expect("a token").to_owned();
        let mut client = Client::open(process, WS_HUB).await;
        let frame = json!({"type": "AUTH", "payload": {"token": token}});
        client.say(&frame.to_string()).await;
        assert_eq!(client.json().await["type"], "AUTH_SUCCESS");
        people.push((client, token, made["user"]["id"].clone()));
    }
    let [(ana, _, ana_id), (beto, token, _)] = people.as_mut_slice() else {
        panic!("two people");
    };
    let group = json!({"type": "group", "name": "all", "participantIds": [ana_id]});
    let (status, room) = two
        .edge
        .ws_hub("POST", "/api/rooms", Some(token), &group)
        .await;
    assert_eq!(status, 201, "{room}");
    let created = ana.frame("ROOM_CREATED").await;
    assert_eq!(created["id"], room["id"]);
    let said = json!({"type": "SEND_MESSAGE", "payload": {"roomId": room["id"], "content": "a"}});
    beto.say(&said.to_string()).await;
    assert_eq!(ana.frame("MESSAGE").await["content"], "a");
    drop(people);
    two.stop().await;
}
