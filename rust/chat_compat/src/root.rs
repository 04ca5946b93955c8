//! The namespace `/`, shared by clients whose base address is the bare origin: the
//! token decides who they are, in each system by itself, and an event's name whose it
//! is (compat-overview, section 2).

use std::sync::Arc;

use chat_hub::DisconnectReason;
use chat_socketio::{Event, Face, Refusal, Socket};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};

use crate::calls::Calls;
use crate::meetings::{Meetings, MeetingsIdentity, is_meeting_event};
use crate::shared::{BoxFuture, CompatError, socket_token};
use crate::webrtc::{Webrtc, WebrtcIdentity, is_signalling_event};

/// The systems that are served.
pub(crate) struct Root {
    pub(crate) calls: Option<Arc<Calls>>,
    pub(crate) meetings: Option<Arc<Meetings>>,
    pub(crate) webrtc: Option<Arc<Webrtc>>,
}

struct Identities {
    hears_calls: bool,
    meetings: Option<MeetingsIdentity>,
    webrtc: Option<WebrtcIdentity>,
}

impl Root {
    async fn identify(&self, token: Option<&str>) -> Result<Option<Identities>, CompatError> {
        let is_open = |calls: &Arc<Calls>| calls.is_open();
        let calls_open = self.calls.as_ref().is_some_and(is_open);
        let Some(token) = token else {
            let meetings_open = self.meetings.as_ref().is_some_and(|face| face.is_open());
            return Ok((calls_open || meetings_open).then_some(Identities {
                hears_calls: calls_open,
                meetings: None,
                webrtc: None,
            }));
        };
        let webrtc = self.webrtc.as_ref();
        let webrtc = webrtc.and_then(|face| face.find_identity(token));
        let meetings = match &self.meetings {
            Some(face) => face.find_identity(token).await?,
            None => None,
        };
        let is_listener = match &self.calls {
            Some(face) => face.is_listener(token).await?,
            None => false,
        };
        let is_somebody = meetings.is_some() || webrtc.is_some() || is_listener;
        Ok(is_somebody.then_some(Identities {
            hears_calls: is_listener || calls_open,
            meetings,
            webrtc,
        }))
    }
}

impl Face for Root {
    fn connect<'a>(
        &'a self,
        socket: &'a Socket,
        auth: Map<String, Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        async move {
            let token = socket_token(socket, &auth);
            let identities = self.identify(token.as_deref()).await;
            let identities = identities.map_err(|error| error.refuse("root"))?;
            socket.set_data(identities.ok_or_else(|| Refusal::new("Authentication error"))?);
            Ok(())
        }
        .boxed()
    }

    fn connected<'a>(&'a self, socket: &'a Socket) -> BoxFuture<'a, ()> {
        if let Some(identities) = socket.data::<Identities>() {
            if let (Some(calls), true) = (&self.calls, identities.hears_calls) {
                calls.listen(socket);
            }
            if let (Some(webrtc), Some(identity)) = (&self.webrtc, &identities.webrtc) {
                webrtc.on_connected(socket, identity);
            }
        }
        async {}.boxed()
    }

    /// What belongs to no system is ignored.
    fn event<'a>(&'a self, socket: &'a Socket, event: Event) -> BoxFuture<'a, ()> {
        async move {
            let identities = socket.data::<Identities>();
            if is_meeting_event(&event) {
                if let Some(meetings) = &self.meetings {
                    let identity = identities.and_then(|known| known.meetings.as_ref());
                    meetings.on_event(socket, identity, event).await;
                }
            } else if let (Some(webrtc), true) = (&self.webrtc, is_signalling_event(&event)) {
                let identity = identities.and_then(|known| known.webrtc.as_ref());
                webrtc.on_event(socket, identity, event).await;
            }
        }
        .boxed()
    }

    fn disconnected<'a>(
        &'a self,
        socket: &'a Socket,
        _reason: DisconnectReason,
    ) -> BoxFuture<'a, ()> {
        async move {
            if let Some(meetings) = &self.meetings {
                meetings.on_gone(socket).await;
            }
            let identity = socket
                .data::<Identities>()
                .and_then(|known| known.webrtc.as_ref());
            if let (Some(webrtc), Some(identity)) = (&self.webrtc, identity) {
                webrtc.on_gone(socket, identity);
            }
        }
        .boxed()
    }
}
