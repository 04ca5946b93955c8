//! A relayed socket on its shard's thread: what its client sends goes to the home.

use std::rc::Rc;
use std::sync::Arc;

use chat_gateway::{MessageHandler, SocketTerms, receive_bridge, receive_socket};
use chat_hub::{Connection, DisconnectReason, SessionFactory};
use tokio::sync::Semaphore;

use super::Edge;
use super::opening::Input;
use crate::window::FROM_CLIENT;
use crate::wire::{Blob, Frame};

/// A connection that the home serves, until this is dropped.
pub(super) struct Registered {
    edge: Arc<Edge>,
    id: u64,
}

impl Registered {
    pub(super) fn new(edge: Arc<Edge>, id: u64) -> Self {
        Self { edge, id }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.edge.closed(self.id);
    }
}

struct Forwarding {
    registered: Registered,
    connection: Rc<Connection>,
    window: Arc<Semaphore>,
}

impl Forwarding {
    /// Waits while the home is behind.
    async fn forward(&self, frame: Frame<'_>) {
        let place = tokio::select! {
            place = self.window.acquire_many(FROM_CLIENT.cost(frame.len())) => place,
            () = self.connection.closing() => return,
        };
        // Closed once the home has ended it.
        if let Ok(place) = place {
            place.forget();
            let Registered { edge, id } = &self.registered;
            edge.pass_on(*id, frame);
        }
    }
}

impl MessageHandler for Forwarding {
    async fn on_text(&mut self, text: String) {
        self.forward(Frame::Text(&text)).await;
    }

    async fn on_binary(&mut self, payload: Vec<u8>) {
        self.forward(Frame::Binary(Blob(&payload))).await;
    }
}

pub(super) fn session(
    registered: Registered,
    input: Input,
    terms: SocketTerms,
    window: Arc<Semaphore>,
) -> SessionFactory {
    Box::new(move |connection| {
        Box::pin(async move {
            let mut forwarding = Forwarding {
                registered,
                connection: Rc::clone(&connection),
                window,
            };
            let reason = match input {
                Input::Socket(mut input) => {
                    receive_socket(&connection, &mut forwarding, &mut input).await
                }
                Input::Bridge(mut frames) => {
                    let mut budget = terms.budget();
                    receive_bridge(&connection, &mut forwarding, &mut frames, &mut budget).await;
                    DisconnectReason::ClientClosed
                }
            };
            connection.disconnect(reason);
            drop(forwarding);
            connection.finish().await;
        })
    })
}
