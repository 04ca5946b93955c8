//! All sibling systems together: decides whose a request is and sees it answered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chat_database::{CompatStore, Database};
use chat_gateway::{BridgeInput, SocketTerms, UpgradeRequest};
use chat_hub::{BridgeOutput, Hub, StreamSource};
use chat_socketio::{Face, Namespace};
use futures_util::FutureExt as _;

use crate::calls::{self, Calls};
use crate::config::{CompatConfig, System};
use crate::meetings::{self, Meetings};
use crate::root::Root;
use crate::shared::{
    CompatError, MAX_BODY_BYTES, ObjectIds, Primary, Request, RequestHead, Response, Target,
    resolve,
};
use crate::webrtc::{self, Webrtc};
use crate::ws_hub::{self, SocketLimits, WsHub};

/// The namespace of clients at the origin.
const ROOT: &str = "/";
/// Those of clients that are given a mount.
const CALLS: &str = "/compat/calls";
const MEETINGS: &str = "/compat/meetings";
const WEBRTC: &str = "/compat/webrtc";

/// The faces of one service.
#[derive(Debug)]
pub struct Compat {
    config: CompatConfig,
    /// None if what they need is not in the database.
    faces: Option<Faces>,
}

#[derive(Debug)]
struct Faces {
    meetings: Arc<Meetings>,
    calls: Arc<Calls>,
    ws_hub: WsHub,
    webrtc: Arc<Webrtc>,
}

impl Compat {
    /// Prepares the systems that are to be served. If their tables are missing,
    /// every request is answered as unavailable; nothing here keeps the primary
    /// service from starting.
    pub fn new(
        config: CompatConfig,
        database: &Database,
        hub: &Hub,
        primary: &Arc<dyn Primary>,
    ) -> Self {
        let faces = if config.systems.is_empty() {
            None
        } else {
            Faces::open(&config, database, hub, primary)
                .inspect_err(|error| {
                    tracing::warn!(
                        reason = error.to_string(),
                        "the sibling systems (COMPAT_SYSTEMS) are not available"
                    );
                })
                .ok()
        };
        Self { config, faces }
    }

    /// The namespaces of Socket.IO, and what is behind them.
    pub fn socket_io_faces(&self, hub: &Hub) -> Vec<(Namespace, Arc<dyn Face>)> {
        let Some(faces) = &self.faces else {
            return Vec::new();
        };
        let namespace = |name| Namespace::new(hub.clone(), name);
        let serves = |system| self.config.systems.contains(&system);
        let mut namespaces = Vec::new();
        let (mut calls, mut meetings, mut webrtc) = (None, None, None);
        if serves(System::Calls) {
            calls = Some(Arc::clone(&faces.calls));
            namespaces.push((namespace(CALLS), faces.calls.socket_face()));
        }
        if serves(System::Meetings) {
            meetings = Some(Arc::clone(&faces.meetings));
            namespaces.push((namespace(MEETINGS), faces.meetings.socket_face()));
        }
        if serves(System::Webrtc) {
            webrtc = Some(Arc::clone(&faces.webrtc));
            namespaces.push((namespace(WEBRTC), faces.webrtc.socket_face()));
        }
        if calls.is_some() || meetings.is_some() || webrtc.is_some() {
            let root: Arc<dyn Face> = Arc::new(Root {
                calls,
                meetings,
                webrtc,
            });
            namespaces.push((namespace(ROOT), root));
        }
        namespaces
    }

    /// Says whether this is the process that knows what is live. What time does to
    /// meetings is done there alone, and not before it is said; sockets are served until
    /// it is said that they are not, and then end.
    pub fn set_home(&self, is_home: bool) {
        if let Some(faces) = &self.faces {
            faces.meetings.set_home(is_home);
            faces.ws_hub.set_home(is_home);
        }
    }

    /// Whether a request must be answered by the process that knows what is live: open
    /// sockets are told what it changes. Any process answers the others.
    pub fn needs_home(&self, head: &RequestHead) -> bool {
        let Some(target) = resolve(&head.path, &self.config.systems) else {
            return false;
        };
        let (method, path) = (&head.method, &target.path);
        match target.system {
            System::Meetings => meetings::is_live(method, path, target.is_mounted),
            System::Calls => calls::is_live(method, path),
            System::WsHub => ws_hub::is_live(method, path),
            System::Webrtc => false,
        }
    }

    /// The answer to a request that cannot be answered at the moment.
    pub fn unavailable(&self, head: &RequestHead) -> Response {
        match resolve(&head.path, &self.config.systems) {
            Some(target) => fail(target.system, true),
            None => Response::empty(404),
        }
    }

    /// Answers a request below one of the mounts.
    pub async fn handle(&self, request: Request) -> Response {
        let path = &request.head().path;
        match resolve(path, &self.config.systems) {
            Some(target) => self.answer(&request, &target).await,
            None => Response::empty(404),
        }
    }

    /// The largest body that is read of a request; what is larger reaches [`handle`](Self::handle) without it. Zero if
    /// the request is answered without waiting for its body.
    pub fn max_body_bytes(&self, head: &RequestHead) -> usize {
        let target = resolve(&head.path, &self.config.systems);
        match (&self.faces, target) {
            (Some(faces), Some(target)) if target.system == System::WsHub => {
                faces.ws_hub.max_body_bytes(head, &target.path)
            }
            _ => MAX_BODY_BYTES,
        }
    }

    /// How sockets of a path are read; none if the path is not one of ours.
    pub fn terms(&self, path: &str) -> Option<SocketTerms> {
        self.hub_at(path).map(|_| self.limits(None).terms())
    }

    /// Takes over a socket if its path is one of ours, and gives it back otherwise.
    pub fn accept(
        &self,
        source: StreamSource,
        request: UpgradeRequest,
        max_connections: Option<usize>,
    ) -> Option<(StreamSource, UpgradeRequest)> {
        match self.hub_at(&request.path) {
            Some(ws_hub) => {
                ws_hub.accept(source, request, self.limits(max_connections));
                None
            }
            None => Some((source, request)),
        }
    }

    /// Serves the socket of a path whose frames another server carries; none if the
    /// path is not one of ours or the service is stopping.
    pub fn open_bridge(&self, path: &str, output: Arc<BridgeOutput>) -> Option<BridgeInput> {
        self.hub_at(path)?
            .open_bridge(output, self.limits(None))
            .ok()
    }

    /// Waits until messages accepted so far are stored and on their way.
    pub async fn flush(&self) {
        if let Some(faces) = &self.faces {
            faces.ws_hub.flush().await;
            faces.webrtc.flush().await;
        }
    }

    /// Clients of ws-hub append nothing to their base address, or `/ws`.
    fn hub_at(&self, path: &str) -> Option<&WsHub> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_ours = matches!(path, "" | "/ws" | "/compat/ws-hub" | "/compat/ws-hub/ws");
        let is_served = self.config.systems.contains(&System::WsHub);
        let faces = self.faces.as_ref().filter(|_| is_ours && is_served);
        faces.map(|faces| &faces.ws_hub)
    }

    fn limits(&self, max_connections: Option<usize>) -> SocketLimits {
        SocketLimits {
            max_frames_per_second: self.config.max_frames_per_second,
            max_connections,
        }
    }

    async fn answer(&self, request: &Request, target: &Target<'_>) -> Response {
        let Some(faces) = &self.faces else {
            return fail(target.system, true);
        };
        let answer = async {
            match target.system {
                System::Meetings => {
                    let path = &target.path;
                    faces
                        .meetings
                        .answer(request, path, target.is_mounted)
                        .await
                }
                System::Calls => faces.calls.answer(request, &target.path).await,
                System::WsHub => faces.ws_hub.answer(request, &target.path).await,
                System::Webrtc => faces.webrtc.answer(request, &target.path).await,
            }
        };
        // On the heap: it is as large as the largest of the use cases.
        AssertUnwindSafe(Box::pin(answer))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                tracing::error!(system = target.system.name(), "a request panicked");
                fail(target.system, false)
            })
    }
}

impl Faces {
    fn open(
        config: &CompatConfig,
        database: &Database,
        hub: &Hub,
        primary: &Arc<dyn Primary>,
    ) -> Result<Self, CompatError> {
        let store: CompatStore = database.compat_store()?;
        let ids = Arc::new(ObjectIds::new()?);
        let namespace = |name| Namespace::new(hub.clone(), name);
        Ok(Self {
            meetings: Meetings::new(
                config,
                store.clone(),
                Arc::clone(primary),
                [MEETINGS, ROOT].map(namespace).to_vec(),
            ),
            calls: Arc::new(Calls::new(
                config,
                store.clone(),
                Arc::clone(primary),
                [CALLS, ROOT].map(namespace).to_vec(),
            )),
            ws_hub: WsHub::new(config, store.clone(), primary, &ids, hub.clone()),
            webrtc: Arc::new(Webrtc::new(
                config,
                store,
                primary,
                &ids,
                [WEBRTC, ROOT].map(namespace).to_vec(),
            )),
        })
    }
}

/// What a system answers when it cannot: for now, or because of a defect.
fn fail(system: System, is_temporary: bool) -> Response {
    match system {
        System::Meetings => meetings::failure(is_temporary),
        System::Calls => calls::failure(is_temporary),
        System::WsHub => ws_hub::failure(is_temporary),
        System::Webrtc => webrtc::failure(is_temporary),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use secrecy::SecretString;

    use super::*;

    fn head(method: &str, path: &str) -> RequestHead {
        RequestHead {
            method: method.to_owned(),
            path: path.to_owned(),
            ..RequestHead::default()
        }
    }

    #[test]
    fn only_what_sockets_are_told_needs_the_home() {
        let secret = || SecretString::from("a secret");
        let compat = Compat {
            config: CompatConfig {
                systems: System::ALL.to_vec(),
                meetings_secret: secret(),
                ws_hub_secret: secret(),
                webrtc_secret: secret(),
                calls_open: false,
                meetings_open: false,
                meetings_empty: Duration::from_secs(300),
                livekit: None,
                max_frames_per_second: 1000,
            },
            faces: None,
        };
        for (method, path, needs_home) in [
            ("PUT", "/api/meetings/1/end", true),
            ("POST", "/api/meetings", false),
            ("POST", "/calls", true),
            ("GET", "/calls", false),
            ("POST", "/compat/calls/rooms/1/join/", true),
            ("POST", "/livekit/token", false),
            ("POST", "/compat/ws-hub/api/rooms", true),
            ("POST", "/compat/ws-hub/api/rooms/1/leave", true),
            ("GET", "/compat/ws-hub/api/rooms", false),
            ("POST", "/compat/ws-hub/api/auth/login", false),
            ("POST", "/compat/ws-hub/api/upload/image", false),
            ("POST", "/compat/webrtc/api/rooms", false),
            ("POST", "/nobody", false),
        ] {
            let head = head(method, path);
            assert_eq!(compat.needs_home(&head), needs_home, "{method} {path}");
            let unavailable = if path == "/nobody" { 404 } else { 503 };
            assert_eq!(compat.unavailable(&head).status, unavailable, "{path}");
        }
    }
}
