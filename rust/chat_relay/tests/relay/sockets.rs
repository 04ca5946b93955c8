//! Clients at both processes hear each other.

use std::sync::Arc;

use chat_gateway::BridgeInput;
use chat_hub::BridgeOutput;
use chat_socketio::EngineRequest;
use serde_json::json;
use tokio::sync::Notify;

use crate::client::{Client, SOCKET_IO, WS_HUB};
use crate::process::Two;

#[tokio::test]
async fn a_room_is_one_room_and_has_one_order() {
    let two = Two::start("order").await;
    let mut ana = Client::join(&two.home, "ana").await;
    let mut beto = Client::join(&two.edge, "beto").await;
    let mut caro = Client::join(&two.edge, "caro").await;
    for number in 0..200 {
        ana.emit("say", &json!(["ana", number])).await;
        beto.emit("say", &json!(["beto", number])).await;
    }
    let mut heard = Vec::new();
    for _ in 0..400 {
        let (event, said) = caro.event().await;
        assert_eq!(event, "said");
        heard.push(said);
    }
    for (client, other) in [(&mut ana, "beto"), (&mut beto, "ana")] {
        for number in 0..200 {
            assert_eq!(client.event().await.1, json!([other, number]));
        }
    }
    for name in ["ana", "beto"] {
        let numbers = heard.iter().filter(|said| said[0] == name);
        let numbers: Vec<_> = numbers.map(|said| said[1].clone()).collect();
        assert_eq!(
            numbers,
            (0..200).map(|number| json!(number)).collect::<Vec<_>>()
        );
    }
    // Nobody has heard anything twice: the next is this.
    assert_eq!(beto.call("say", json!("bye")).await, json!("bye"));
    for client in [&mut ana, &mut caro] {
        assert_eq!(client.event().await, ("said".to_owned(), json!("bye")));
    }
    beto.close().await;
    for client in [&mut ana, &mut caro] {
        assert_eq!(client.event().await, ("gone".to_owned(), json!("beto")));
    }
    drop((ana, caro));
    two.stop().await;
}

#[tokio::test]
async fn whoever_sends_more_than_the_home_can_take_waits_and_loses_nothing() {
    let two = Two::start("flow").await;
    let mut ana = Client::join(&two.edge, "ana").await;
    let mut beto = Client::join(&two.home, "beto").await;
    let (small, large) = ("x".repeat(100), "x".repeat(300_000));
    let talk = async {
        for number in 0..3000 {
            let text = if number % 300 == 0 { &large } else { &small };
            ana.emit("say", &json!([number, text])).await;
        }
    };
    let listen = async {
        for number in 0..3000 {
            let (_, said) = beto.event().await;
            assert_eq!(said[0], number);
        }
    };
    tokio::join!(talk, listen);
    drop((ana, beto));
    two.stop().await;
}

#[tokio::test]
async fn more_than_may_be_on_its_way_reaches_an_edge() {
    let two = Two::start("volume").await;
    let mut ana = Client::join(&two.home, "ana").await;
    let mut beto = Client::join(&two.edge, "beto").await;
    let text = "x".repeat(200_000);
    for _ in 0..100 {
        ana.emit("say", &json!(text)).await;
        assert_eq!(beto.event().await.1, json!(text));
    }
    drop((ana, beto));
    two.stop().await;
}

#[tokio::test]
async fn attachments_travel_as_they_are() {
    let two = Two::start("binary").await;
    let mut ana = Client::join(&two.edge, "ana").await;
    let mut beto = Client::join(&two.edge, "beto").await;
    ana.say(r#"451-/rooms,["say",{"_placeholder":true,"num":0}]"#)
        .await;
    ana.send_binary(vec![0, 0xff, 7]).await;
    let announced = beto.text().await;
    assert_eq!(
        announced,
        r#"451-/rooms,["said",{"_placeholder":true,"num":0}]"#
    );
    assert_eq!(beto.binary().await, [0, 0xff, 7]);
    drop((ana, beto));
    two.stop().await;
}

#[tokio::test]
async fn the_home_says_who_is_refused_and_who_is_ended() {
    let two = Two::start("refused").await;
    for (target, status) in [
        ("/socket.io/?EIO=3&transport=websocket", 400),
        ("/socket.io/?EIO=4&transport=websocket&sid=nobody", 400),
    ] {
        let refused = Client::try_open(&two.edge, target).await.err();
        assert_eq!(refused, Some(status), "{target}");
    }
    let mut client = Client::join(&two.edge, "ana").await;
    client.emit("end", &json!(null)).await;
    assert_eq!(client.closed().await, (1000, String::new()));
    client = Client::open(&two.edge, WS_HUB).await;
    client.say(r#"{"type":"AUTH"}"#).await;
    assert_eq!(client.json().await["type"], "AUTH_ERROR");
    let ended = client.closed().await;
    assert_eq!(ended, (1008, "Token is required".to_owned()));
    drop(client);
    two.stop().await;
}

#[tokio::test]
async fn a_client_that_another_server_carries_is_one_of_all() {
    let two = Two::start("carried").await;
    let mut ana = Client::join(&two.home, "ana").await;
    let changed = Arc::new(Notify::new());
    let wake_up = Arc::clone(&changed);
    let output = Arc::new(BridgeOutput::new(move || wake_up.notify_one()));
    let request = EngineRequest {
        query: SOCKET_IO.split_once('?').expect("a query").1.to_owned(),
        authorization: None,
    };
    let opened = two
        .edge
        .relay
        .open_bridge("/socket.io", request, Arc::clone(&output))
        .await;
    let carried: BridgeInput = opened.expect("served");
    for text in [r#"40/rooms,{"name":"beto"}"#, r#"42/rooms,["say","hola"]"#] {
        carried.send_text(text.to_owned()).await;
    }
    assert_eq!(ana.event().await.1, json!("hola"));
    carried.send_text(r#"42/rooms,1["join"]"#.to_owned()).await;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        changed.notified().await;
        let frames = output.take().frames;
        heard.extend(frames.iter().map(|frame| frame.text_payload().to_owned()));
    }
    assert!(heard[0].starts_with("0{"), "{heard:?}");
    assert!(heard[1].starts_with("40/rooms,{"), "{heard:?}");
    assert_eq!(heard[2], "43/rooms,1[]");
    drop(carried);
    assert_eq!(ana.event().await, ("gone".to_owned(), json!("beto")));
    drop(ana);
    two.stop().await;
}
