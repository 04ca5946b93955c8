//! A client over WebSocket, by an implementation that is not ours.

use chat_gateway::UpgradeRequest;
use chat_hub::StreamSource;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::face::ROOMS;
use crate::process::{PATIENCE, Process};

pub(crate) const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";
pub(crate) const WS_HUB: &str = "/compat/ws-hub/ws";

pub(crate) struct Client(WebSocketStream<UnixStream>);

impl Client {
    /// # Errors
    /// The status with which it was refused.
    pub(crate) async fn try_open(process: &Process, target: &str) -> Result<Self, u16> {
        let (stream, server) = UnixStream::pair().expect("a socket pair");
        let relay = process.relay.clone();
        let serve = async move {
            let (source, request) = take_request(server).await;
            let left = relay.accept(source, request, None).await;
            assert!(left.is_none(), "nobody's");
        };
        let url = format!("ws://chat.example{target}");
        let (opened, ()) = tokio::join!(client_async(url, stream), serve);
        match opened {
            Ok((client, _)) => Ok(Self(client)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn open(process: &Process, target: &str) -> Self {
        let opened = Self::try_open(process, target).await;
        opened.unwrap_or_else(|status| panic!("refused with {status}"))
    }

    /// Somebody in the room, over Socket.IO.
    pub(crate) async fn join(process: &Process, name: &str) -> Self {
        let mut client = Self::open(process, SOCKET_IO).await;
        assert!(client.text().await.starts_with("0{"));
        client.enter(name).await;
        client
    }

    /// Enters the room; the engine's handshake is done.
    pub(crate) async fn enter(&mut self, name: &str) {
        self.say(&format!("40{ROOMS},{}", json!({"name": name})))
            .await;
        assert!(self.text().await.starts_with("40/rooms,{"));
        assert_eq!(self.call("join", json!(null)).await, json!(null));
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let sent = self.0.send(Message::text(text)).await;
        sent.expect("it is open");
    }

    pub(crate) async fn emit(&mut self, event: &str, argument: &Value) {
        self.say(&format!("42{ROOMS},{}", json!([event, argument])))
            .await;
    }

    /// Emits, and gives the answer, which must be what comes next.
    pub(crate) async fn call(&mut self, event: &str, argument: Value) -> Value {
        self.say(&format!("42{ROOMS},7{}", json!([event, argument])))
            .await;
        let answer = self.text().await;
        let answer = answer.strip_prefix("43/rooms,7").expect("an answer");
        let answer: [Value; 1] = serde_json::from_str(answer).expect("JSON");
        let [answer] = answer;
        answer
    }

    /// The event that comes next.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let text = self.text().await;
        let event = text.strip_prefix("42/rooms,").expect("an event");
        serde_json::from_str(event).expect("JSON")
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn binary(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Ok(Message::Binary(payload))) => payload.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send_binary(&mut self, payload: Vec<u8>) {
        let sent = self.0.send(Message::binary(payload)).await;
        sent.expect("it is open");
    }

    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// The payload of the next frame of this type.
    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        loop {
            let mut frame = self.json().await;
            if frame["type"] == kind {
                return frame["payload"].take();
            }
        }
    }

    /// The close frame; those who were ended before are told to be gone in front of it.
    pub(crate) async fn ended(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(Ok(Message::Text(text))) if text.contains(r#""gone""#) => {}
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    return (code.into(), reason.to_string());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The close frame that comes next.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                (code.into(), reason.to_string())
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn close(mut self) {
        let _ = self.0.close(None).await;
        while let Some(Ok(_)) = self.next().await {}
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        let next = timeout(PATIENCE, self.0.next()).await;
        next.expect("in time")
    }
}

/// Reads the head, as the server in front does.
async fn take_request(mut server: UnixStream) -> (StreamSource, UpgradeRequest) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(server.read_u8().await.expect("a head"));
    }
    let request = UpgradeRequest::parse(&head, "").expect("an upgrade");
    let server = server.into_std().expect("a socket");
    (StreamSource::Unix(server), request)
}
