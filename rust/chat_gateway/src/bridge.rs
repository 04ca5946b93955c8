//! Serves a connection whose frames travel through another server.

use std::rc::Rc;

use chat_hub::{Connection, DisconnectReason};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::frame_budget::{self, FrameBudget};
use crate::session::Session;

/// Frames from the client that may wait for the session.
pub(crate) const INPUT_FRAMES: usize = 16;

/// A frame from the client.
#[derive(Debug)]
pub(crate) enum BridgeFrame {
    Text(String),
    Binary,
}

/// The incoming half of a bridge; dropping it means that the client is gone.
#[derive(Clone, Debug)]
pub struct BridgeInput {
    frames: mpsc::Sender<BridgeFrame>,
}

impl BridgeInput {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<BridgeFrame>) {
        let (frames, receiver) = mpsc::channel(INPUT_FRAMES);
        (Self { frames }, receiver)
    }

    /// Hands a text frame to the session; waits while it is behind. After the
    /// session has ended the frame is dropped.
    pub async fn send_text(&self, text: String) {
        let _ = self.frames.send(BridgeFrame::Text(text)).await;
    }

    /// Reports a binary frame.
    pub async fn send_binary(&self) {
        let _ = self.frames.send(BridgeFrame::Binary).await;
    }
}

/// Serves a bridge until either side has ended.
pub(crate) async fn run(
    connection: Rc<Connection>,
    session: Session,
    mut input: mpsc::Receiver<BridgeFrame>,
    mut budget: FrameBudget,
) {
    while connection.is_open() {
        tokio::select! {
            frame = input.recv() => match frame {
                Some(BridgeFrame::Text(text)) => session.on_text(&text).await,
                Some(BridgeFrame::Binary) => session.on_binary().await,
                None => connection.disconnect(DisconnectReason::ClientClosed),
            },
            () = connection.closing() => {}
        }
        // Control frames and fragments are the other server's matter.
        if let Some(read_again) = budget.charge(1, Instant::now()) {
            frame_budget::pause(&connection, read_again).await;
        }
    }
    connection.finish().await;
}
