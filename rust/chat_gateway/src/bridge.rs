//! Serves a connection whose frames travel through another server.

use std::rc::Rc;

use chat_hub::{Connection, DisconnectReason};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::frame_budget::{self, FrameBudget};
use crate::session::Session;
use crate::socket::MessageHandler;

/// Frames from the client that may wait for the session.
const INPUT_FRAMES: usize = 16;

/// A frame from the client.
#[derive(Debug)]
pub enum BridgeFrame {
    Text(String),
    Binary(Vec<u8>),
}

/// The incoming half of a bridge; dropping it means that the client is gone.
#[derive(Clone, Debug)]
pub struct BridgeInput {
    frames: mpsc::Sender<BridgeFrame>,
}

impl BridgeInput {
    /// The two ends of the way to a session.
    pub fn channel() -> (Self, mpsc::Receiver<BridgeFrame>) {
        let (frames, receiver) = mpsc::channel(INPUT_FRAMES);
        (Self { frames }, receiver)
    }

    /// Hands a text frame to the session; waits while it is behind. After the
    /// session has ended the frame is dropped.
    pub async fn send_text(&self, text: String) {
        let _ = self.frames.send(BridgeFrame::Text(text)).await;
    }

    /// Hands a binary frame to the session, like `send_text`.
    pub async fn send_binary(&self, payload: Vec<u8>) {
        let _ = self.frames.send(BridgeFrame::Binary(payload)).await;
    }

    /// Resolves when the session takes no more: it has ended, or is about to.
    pub async fn closed(&self) {
        self.frames.closed().await;
    }
}

/// Serves a bridge until either side has ended.
pub(crate) async fn run(
    connection: Rc<Connection>,
    mut session: Session,
    mut input: mpsc::Receiver<BridgeFrame>,
    mut budget: FrameBudget,
) {
    receive(&connection, &mut session, &mut input, &mut budget).await;
    connection.finish().await;
}

/// Handles what comes until the connection has ended, here or elsewhere.
pub async fn receive(
    connection: &Rc<Connection>,
    session: &mut impl MessageHandler,
    input: &mut mpsc::Receiver<BridgeFrame>,
    budget: &mut FrameBudget,
) {
    while connection.is_open() {
        tokio::select! {
            frame = input.recv() => match frame {
                Some(BridgeFrame::Text(text)) => session.on_text(text).await,
                Some(BridgeFrame::Binary(payload)) => session.on_binary(payload).await,
                None => connection.disconnect(DisconnectReason::ClientClosed),
            },
            () = connection.closing() => {}
        }
        // Control frames and fragments are the other server's matter.
        if let Some(read_again) = budget.charge(1, Instant::now()) {
            frame_budget::pause(connection, read_again).await;
        }
    }
}
