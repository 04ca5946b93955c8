//! A client on its way in.

use chat_gateway::{BridgeFrame, SocketInput, SocketTerms, UNAVAILABLE};
use chat_hub::Link;
use chat_socketio::EngineError;
use tokio::sync::{mpsc, oneshot};

/// A client as it comes to this process.
pub(crate) struct Client {
    pub(crate) link: Link,
    pub(crate) input: Input,
    pub(crate) terms: SocketTerms,
    /// None: no limit.
    pub(crate) max_connections: Option<usize>,
}

/// Where what the client says comes from.
pub(crate) enum Input {
    Socket(Box<SocketInput>),
    Bridge(mpsc::Receiver<BridgeFrame>),
}

/// A client that waits for the home.
pub(super) struct Opening {
    pub(super) client: Client,
    pub(super) answered: oneshot::Sender<Result<(), EngineError>>,
}

impl Opening {
    /// Tells a socket of ours; whoever carries another one is told why.
    pub(super) fn refuse(self, error: EngineError) {
        if let Link::Socket { source, .. } = self.client.link {
            match error {
                EngineError::Unavailable => source.answer_and_close(UNAVAILABLE),
                error => source.answer_and_close(&error.to_refusal()),
            }
        }
        let _ = self.answered.send(Err(error));
    }
}
