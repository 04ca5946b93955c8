//! What is over when a process, the home or the link is.

use chat_relay::Home;
use serde_json::json;

use crate::client::{Client, SOCKET_IO, WS_HUB};
use crate::process::Two;

fn restart() -> (u16, String) {
    (1012, "service restart".to_owned())
}

#[tokio::test]
async fn without_a_home_nobody_is_served() {
    let two = Two::start("nowhere").await;
    two.edge.relay.set_home(Home::Unknown);
    for target in [SOCKET_IO, WS_HUB] {
        let refused = Client::try_open(&two.edge, target).await.err();
        assert_eq!(refused, Some(503), "{target}");
    }
    let answer = two.edge.engine("GET", "EIO=4&transport=polling", "").await;
    assert_eq!(answer.status, 503);
    let (status, _) = two
        .edge
        .ws_hub("POST", "/api/rooms", None, &json!({}))
        .await;
    assert_eq!(status, 503);
    // What changes nothing is answered by any process.
    let (status, _) = two.edge.ws_hub("GET", "/health", None, &json!({})).await;
    assert_eq!(status, 200);
    two.stop().await;
}

#[tokio::test]
async fn a_process_that_is_not_the_home_refuses_those_who_think_it_is() {
    let two = Two::start("mistaken").await;
    two.home.relay.set_home(Home::Unknown);
    let refused = Client::try_open(&two.edge, SOCKET_IO).await.err();
    assert_eq!(refused, Some(503));
    two.home.relay.set_home(Home::This);
    Client::join(&two.edge, "ana").await.close().await;
    two.stop().await;
}

#[tokio::test]
async fn a_change_of_the_home_ends_what_was_relayed() {
    let two = Two::start("change").await;
    let mut ana = Client::join(&two.edge, "ana").await;
    let mut beto = Client::join(&two.home, "beto").await;
    let mut caro = Client::open(&two.home, WS_HUB).await;
    two.home.relay.set_home(Home::Other(two.edge.node()));
    two.edge.relay.set_home(Home::This);
    for client in [&mut ana, &mut beto, &mut caro] {
        assert_eq!(client.ended().await, restart());
    }
    ana = Client::join(&two.edge, "ana").await;
    beto = Client::join(&two.home, "beto").await;
    beto.emit("say", &json!("hola")).await;
    assert_eq!(ana.event().await.1, json!("hola"));
    drop((ana, beto, caro));
    two.stop().await;
}

#[tokio::test]
async fn a_link_that_was_made_anew_ends_what_was_relayed_over_it() {
    let two = Two::start("link").await;
    let mut ana = Client::join(&two.home, "ana").await;
    for process in [&two.edge, &two.home] {
        let mut beto = Client::join(&two.edge, "beto").await;
        process.relay.on_connected();
        assert_eq!(ana.event().await, ("gone".to_owned(), json!("beto")));
        assert_eq!(beto.closed().await, restart());
    }
    let mut beto = Client::join(&two.edge, "beto").await;
    assert_eq!(beto.call("say", json!("hola")).await, json!("hola"));
    assert_eq!(ana.event().await.1, json!("hola"));
    drop((ana, beto));
    two.stop().await;
}

#[tokio::test]
async fn the_clients_of_a_process_that_is_gone_are_gone() {
    let two = Two::start("gone").await;
    let mut ana = Client::join(&two.home, "ana").await;
    let beto = Client::join(&two.edge, "beto").await;
    two.edge.vanish().await;
    assert_eq!(ana.event().await, ("gone".to_owned(), json!("beto")));
    drop((ana, beto));
    two.stop().await;
}

#[tokio::test]
async fn clients_come_back_when_the_home_is_gone() {
    let two = Two::start("home").await;
    let mut ana = Client::join(&two.edge, "ana").await;
    two.home.vanish().await;
    assert_eq!(ana.closed().await, restart());
    two.edge.relay.set_home(Home::This);
    Client::join(&two.edge, "ana").await.close().await;
    drop(ana);
    two.stop().await;
}

#[tokio::test]
async fn a_home_that_stops_tells_the_clients_of_the_others() {
    let two = Two::start("stop").await;
    let mut ana = Client::join(&two.edge, "ana").await;
    let Two { home, edge, .. } = two;
    home.stop().await;
    assert_eq!(ana.closed().await, restart());
    drop(ana);
    edge.stop().await;
}
