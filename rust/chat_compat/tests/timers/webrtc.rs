//! Calls of webrtc that nobody answers end after 60 s.

use std::time::Duration;

use chat_compat::System;
use serde_json::{Value, json};

use crate::fixture::{Client, Service, token};

const NAMESPACE: &str = "/compat/webrtc";

async fn connect(service: &Service, user: &str) -> Client {
    let token = token(System::Webrtc, user);
    let target = format!("/socket.io/?EIO=4&transport=websocket&token={token}");
    let mut client = service.open(&target).await;
    assert!(client.text().starts_with("0{"));
    client.say(&format!("40{NAMESPACE},"));
    assert!(client.text().starts_with(&format!("40{NAMESPACE},{{")));
    client
}

fn emit(client: &mut Client, event: &str, payload: &Value) {
    client.say(&format!("42{NAMESPACE},{}", json!([event, payload])));
}

fn expect(client: &mut Client, event: &str) -> Value {
    let text = client.text();
    let arguments = text.strip_prefix(&format!("42{NAMESPACE},"));
    let arguments = arguments.unwrap_or_else(|| panic!("no event: {text}"));
    let arguments: Value = serde_json::from_str(arguments).expect("JSON");
    assert_eq!(arguments[0], event, "{text}");
    arguments[1].clone()
}

/// The next thing it hears is the answer to something it says now.
fn expect_nothing(client: &mut Client) {
    emit(client, "webrtc-offer", &json!({"to": "nobody"}));
    let error = expect(client, "error");
    assert_eq!(error["message"], "Target not found");
}

/// Lets 59.5 s pass, in which nobody misses a ping.
async fn pass_nearly_a_minute(service: &Service, clients: &mut [&mut Client]) {
    for _ in 0..2 {
        service.clock.pass(Duration::from_millis(25_100)).await;
        for client in &mut *clients {
            assert_eq!(client.text(), "2");
            client.say("3");
            expect_nothing(client);
        }
    }
    service.clock.pass(Duration::from_millis(9_300)).await;
    for client in clients {
        expect_nothing(client);
    }
}

/// A call that rings.
async fn call(service: &Service) -> (Client, Client, Value) {
    let mut callee = connect(service, "beto").await;
    let mut caller = connect(service, "ana").await;
    emit(&mut caller, "initiate-call", &json!({"to": "beto"}));
    let call = expect(&mut callee, "incoming-call");
    (caller, callee, call["callId"].clone())
}

#[tokio::test]
async fn an_unanswered_call_ends_after_a_minute_for_both_sides() {
    let service = Service::start().await;
    let (mut caller, mut callee, id) = call(&service).await;
    pass_nearly_a_minute(&service, &mut [&mut caller, &mut callee]).await;
    service.clock.pass(Duration::from_millis(600)).await;
    for client in [&mut caller, &mut callee] {
        let ended = expect(client, "call-ended");
        assert_eq!(ended["reason"], "no-answer");
        assert_eq!(ended["callId"], id);
    }
    // It is over: nobody can accept it any more.
    emit(&mut callee, "accept-call", &json!({"callId": id}));
    let error = expect(&mut callee, "error");
    assert_eq!(error["message"], "Call not found");
    expect_nothing(&mut caller);
    drop((caller, callee));
    service.stop().await;
}

#[tokio::test]
async fn a_call_that_was_answered_goes_on() {
    let service = Service::start().await;
    let (mut caller, mut callee, id) = call(&service).await;
    pass_nearly_a_minute(&service, &mut [&mut caller, &mut callee]).await;
    emit(&mut callee, "accept-call", &json!({}));
    assert_eq!(expect(&mut caller, "call-accepted")["callId"], id);
    service.clock.pass(Duration::from_secs(5)).await;
    expect_nothing(&mut caller);
    expect_nothing(&mut callee);
    emit(&mut caller, "end-call", &json!({}));
    let ended = expect(&mut callee, "call-ended");
    assert_eq!(ended["reason"], "ended");
    drop((caller, callee));
    service.stop().await;
}
