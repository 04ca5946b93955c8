//! From an upgrade to a session, on either transport. Anybody may connect; who they
//! are is for the first frame to say.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_gateway::{
    BridgeInput, Served, SocketTerms, UpgradeRequest, receive_bridge, receive_socket,
};
use chat_hub::{
    BridgeOutput, Connection, DisconnectReason, Heartbeat, HubError, Link, NewConnection,
    StreamSource,
};

use super::Live;
use super::session::Session;

/// A ping every 30 s; whoever has not answered when the next is due is gone.
const HEARTBEAT: Heartbeat = Heartbeat {
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(30),
};
/// How long a socket may be nobody's.
const AUTHENTICATION_PATIENCE: Duration = Duration::from_secs(30);
/// Far more than any frame of a client needs.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// What the service allows sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketLimits {
    pub(crate) max_frames_per_second: u32,
    /// None: no limit.
    pub(crate) max_connections: Option<usize>,
}

impl SocketLimits {
    pub(crate) fn terms(self) -> SocketTerms {
        SocketTerms {
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_frames_per_second: self.max_frames_per_second,
            heartbeat: Some(HEARTBEAT),
        }
    }
}

impl Live {
    /// Takes over a socket; refused, it is dropped.
    pub(crate) fn accept(
        self: &Arc<Self>,
        source: StreamSource,
        mut request: UpgradeRequest,
        limits: SocketLimits,
    ) {
        let terms = limits.terms();
        let mut input = terms.input(std::mem::take(&mut request.leftover));
        let live = Arc::clone(self);
        let new = NewConnection {
            link: Link::Socket {
                source,
                preamble: Bytes::from(request.switching_protocols(None)),
                deflate: false,
            },
            heartbeat: terms.heartbeat,
            session: Box::new(move |connection| {
                Box::pin(async move {
                    let served = live.connections.enter(&connection);
                    let mut session = Session::new(live, &connection);
                    let deadline = deadline(&connection, &session);
                    let reason = tokio::select! {
                        reason = receive_socket(&connection, &mut session, &mut input) => reason,
                        reason = deadline => reason,
                    };
                    finish(connection, &session, reason, served).await;
                })
            }),
        };
        if let Err(error) = self
            .hub
            .attach(new, None, Vec::new(), limits.max_connections)
        {
            tracing::debug!(%error, "a socket could not be attached");
        }
    }

    /// Serves a client whose frames another server carries.
    ///
    /// # Errors
    /// If the service is stopping.
    pub(crate) fn open_bridge(
        self: &Arc<Self>,
        output: Arc<BridgeOutput>,
        limits: SocketLimits,
    ) -> Result<BridgeInput, HubError> {
        let (input, mut frames) = BridgeInput::channel();
        let mut budget = limits.terms().budget();
        let live = Arc::clone(self);
        let new = NewConnection {
            link: Link::Bridge(output),
            heartbeat: None,
            session: Box::new(move |connection| {
                Box::pin(async move {
                    let served = live.connections.enter(&connection);
                    let mut session = Session::new(live, &connection);
                    let deadline = deadline(&connection, &session);
                    let reason = tokio::select! {
                        () = receive_bridge(&connection, &mut session, &mut frames, &mut budget) => {
                            DisconnectReason::ClientClosed
                        }
                        reason = deadline => reason,
                    };
                    finish(connection, &session, reason, served).await;
                })
            }),
        };
        self.hub
            .attach(new, None, Vec::new(), limits.max_connections)?;
        Ok(input)
    }
}

/// Resolves if the socket is still nobody's after a while.
fn deadline(
    connection: &Rc<Connection>,
    session: &Session,
) -> impl Future<Output = DisconnectReason> + use<> {
    let (connection, user) = (Rc::clone(connection), session.user());
    async move {
        tokio::time::sleep(AUTHENTICATION_PATIENCE).await;
        if user.get().is_some() {
            connection.closing().await;
        }
        // Already ended, this reason does not count.
        DisconnectReason::Dismissed(1008, "authentication timed out")
    }
}

async fn finish(
    connection: Rc<Connection>,
    session: &Session,
    reason: DisconnectReason,
    served: Served,
) {
    connection.disconnect(reason);
    session.end();
    drop(served);
    connection.finish().await;
}
