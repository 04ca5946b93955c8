//! Decides handshakes and turns them into connections of the hub.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_hub::{
    AccessVersion, BridgeOutput, Connection, ConnectionRef, Heartbeat, Hub, HubError, Link,
    NewConnection, Profile, RoomHold, SessionFactory, StreamSource, Wishes,
};
use chat_protocol::ids::{RoomId, UserId};
use chat_protocol::{EncodedFrame, ServerFrame};
use chat_websocket::{Decoder, DecoderConfig};
use chrono::Utc;

use crate::backend::{Admission, ChatBackend, Refusal};
use crate::bridge::{self, BridgeInput};
use crate::frame_budget::FrameBudget;
use crate::handshake::{FORBIDDEN, UNAVAILABLE, UpgradeRequest, Wish, parse_room_segment};
use crate::resume::resume;
use crate::session::Session;
use crate::socket::{self, SocketInput};
use crate::validity::Validity;

/// How handed-off sockets are served; the server in front decides.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Prefix of the path that belongs to the deployment.
    pub root_path: String,
    /// None: no pings.
    pub heartbeat: Option<Heartbeat>,
    /// The longest frame and message, in bytes.
    pub max_frame_bytes: usize,
    /// None: no limit.
    pub max_connections: Option<usize>,
}

/// What holds for every connection.
#[derive(Clone, Copy, Debug)]
pub struct GatewayConfig {
    /// Frames of any kind that one client may send in the long run, with one
    /// second's worth at once; above it the client has to wait. At least one.
    pub max_frames_per_second: u32,
    /// Whether permessage-deflate is granted to clients that offer it.
    pub compression: bool,
    /// Closes connections whose token has expired, and those whose last token was shown
    /// so long ago. None: a connection outlives its token.
    pub session_max_age: Option<Duration>,
}

/// Who comes in, and with what.
struct Entrant {
    admission: Admission,
    version: AccessVersion,
    wishes: Wishes,
    /// Of a client that comes back, until it has joined.
    hold: Option<RoomHold>,
}

/// The entrance for both transports.
#[derive(Clone)]
pub struct Gateway {
    config: GatewayConfig,
    hub: Hub,
    backend: Arc<dyn ChatBackend>,
}

impl Gateway {
    pub fn new(config: GatewayConfig, hub: Hub, backend: Arc<dyn ChatBackend>) -> Self {
        Self {
            config,
            hub,
            backend,
        }
    }

    /// Answers an upgrade request and, if it is granted, attaches the socket.
    pub async fn accept(
        &self,
        source: StreamSource,
        mut request: UpgradeRequest,
        options: &SocketOptions,
    ) {
        let Ok((room_id, wish)) = request.wish() else {
            return source.answer_and_close(FORBIDDEN);
        };
        if !self.hub.has_room_for(options.max_connections) {
            return source.answer_and_close(UNAVAILABLE);
        }
        let entrant = match self.admit(room_id, &wish).await {
            Ok(entrant) => entrant,
            Err(Refusal::Denied) => return source.answer_and_close(FORBIDDEN),
            Err(Refusal::Unavailable) => return source.answer_and_close(UNAVAILABLE),
        };
        let deflate = request.deflate_answer.filter(|_| self.config.compression);
        let input = SocketInput {
            leftover: std::mem::take(&mut request.leftover),
            decoder: Decoder::new(DecoderConfig {
                max_message_bytes: options.max_frame_bytes,
                deflate: deflate.is_some(),
            }),
            budget: FrameBudget::new(self.config.max_frames_per_second),
        };
        let session = self.session(&entrant, room_id, move |connection, session| {
            Box::pin(socket::run(connection, session, input))
        });
        let preamble = Bytes::from(request.switching_protocols(deflate));
        let new = NewConnection {
            link: Link::Socket {
                source,
                preamble,
                deflate: deflate.is_some(),
            },
            heartbeat: options.heartbeat,
            session,
        };
        // Refused only if the last place was taken meanwhile; the socket is dropped then.
        let version = entrant.version;
        if let Ok(joined) = self.join(entrant, room_id, new, options.max_connections) {
            self.recheck(version, joined, room_id, &wish.token).await;
        }
    }

    /// Admits a client whose frames another server carries. `protocols` are the
    /// subprotocols it offers; the server answers with the first one.
    ///
    /// # Errors
    /// Why the handshake must be refused.
    pub async fn open_bridge(
        &self,
        room: &str,
        query: &str,
        protocols: &[String],
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, Refusal> {
        let room_id = parse_room_segment(room).ok_or(Refusal::Denied)?;
        let wish = Wish::parse(query, protocols)?;
        let entrant = self.admit(room_id, &wish).await?;
        let (input, frames) = BridgeInput::channel();
        let budget = FrameBudget::new(self.config.max_frames_per_second);
        let session = self.session(&entrant, room_id, move |connection, session| {
            Box::pin(bridge::run(connection, session, frames, budget))
        });
        let new = NewConnection {
            link: Link::Bridge(output),
            heartbeat: None,
            session,
        };
        let version = entrant.version;
        let joined = self
            .join(entrant, room_id, new, None)
            .map_err(|_| Refusal::Unavailable)?;
        self.recheck(version, joined, room_id, &wish.token).await;
        Ok(input)
    }

    async fn admit(&self, room_id: RoomId, wish: &Wish) -> Result<Entrant, Refusal> {
        let token = &wish.token;
        // Read before the decision: see `recheck`.
        let version = self.hub.access_version();
        let admission = self.backend.admit(room_id, token).await?;
        let mut entrant = Entrant {
            wishes: Wishes {
                events: wish.events,
                resume: None,
                newest: admission.newest,
            },
            admission,
            version,
            hold: None,
        };
        if let Some(since) = wish.since {
            entrant.hold = Some(self.hub.hold_room(room_id));
            let resume = resume(&self.hub, &*self.backend, room_id, since).await;
            entrant.wishes.resume = Some(resume);
            // The messages go out with the joining: `recheck` would be too late.
            while self.hub.access_version() != entrant.version {
                entrant.version = self.hub.access_version();
                entrant.admission = self.backend.admit(room_id, token).await?;
            }
        }
        Ok(entrant)
    }

    /// Decides again if permissions changed while the handshake was decided. A
    /// change before the version was read was seen by the decision; one after the
    /// joining finds the connection in the room; this catches those in between.
    async fn recheck(
        &self,
        version: AccessVersion,
        joined: ConnectionRef,
        room_id: RoomId,
        token: &str,
    ) {
        if self.hub.access_version() == version {
            return;
        }
        match self.backend.admit(room_id, token).await {
            Ok(admission) => self.hub.update_profile(Profile::clone(&admission.profile)),
            Err(_) => self.hub.revoke_connection(joined),
        }
    }

    fn join(
        &self,
        entrant: Entrant,
        room_id: RoomId,
        connection: NewConnection,
        max_connections: Option<usize>,
    ) -> Result<ConnectionRef, HubError> {
        let profile = Arc::clone(&entrant.admission.profile);
        let welcome = welcome(&entrant.admission, profile.user_id, room_id);
        let joined = self.hub.join(
            profile,
            room_id,
            welcome,
            connection,
            max_connections,
            entrant.wishes,
        );
        drop(entrant.hold);
        joined
    }

    fn session(
        &self,
        entrant: &Entrant,
        room_id: RoomId,
        run: impl FnOnce(Rc<Connection>, Session) -> Pin<Box<dyn Future<Output = ()>>> + Send + 'static,
    ) -> SessionFactory {
        let (hub, backend) = (self.hub.clone(), Arc::clone(&self.backend));
        let user_id = entrant.admission.profile.user_id;
        let validity = Validity::new(self.config.session_max_age);
        let token_expires = entrant.admission.token_expires;
        Box::new(move |connection| {
            connection.expire_after(validity.left(token_expires));
            let session = Session::new(
                hub,
                backend,
                Rc::clone(&connection),
                user_id,
                room_id,
                validity,
            );
            run(connection, session)
        })
    }
}

fn welcome(admission: &Admission, user_id: UserId, room_id: RoomId) -> EncodedFrame {
    let message = format!("Conectado a la sala: {}", admission.room_name);
    ServerFrame::Welcome {
        message,
        room_id,
        user_id,
        timestamp: Utc::now(),
    }
    .encode()
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Gateway")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}
