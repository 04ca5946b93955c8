//! The face of "WebRTC Backend" (contract file webrtc-signalling.md): REST for
//! accounts, rooms and history, Socket.IO for talk, signalling and calls.

mod accounts;
mod answers;
mod error;
mod live;
mod rooms;
mod socket;

use std::sync::Arc;

use chat_database::CompatStore;
use chat_database::compat::System;
use chat_socketio::{Face, Namespace};
use chrono::Utc;
use serde_json::json;

pub(crate) use self::error::failure;
use self::error::{SignallingError, refuse};
pub(crate) use self::live::Identity as WebrtcIdentity;
use self::live::Live;
use self::socket::WebrtcSocket;
pub(crate) use self::socket::is_signalling_event;
use crate::config::{self, CompatConfig};
use crate::shared::{
    Accounts, Method, ObjectIds, Primary, Request, Response, Routed, format_time, route,
};

#[derive(Debug)]
pub(crate) struct Webrtc {
    accounts: Accounts,
    store: CompatStore,
    ids: Arc<ObjectIds>,
    live: Arc<Live>,
}

/// Whoever a valid token names.
struct Caller {
    id: String,
}

enum Route<'a> {
    Health,
    SignUp,
    LogIn,
    ListRooms,
    CreateRoom,
    ListMessages(&'a str),
}

fn find<'a>(method: Method, path: &[&'a str]) -> Option<Route<'a>> {
    Some(match (method, path) {
        (Method::Get, ["health"]) => Route::Health,
        (Method::Post, ["api", "auth", "signup"]) => Route::SignUp,
        (Method::Post, ["api", "auth", "login"]) => Route::LogIn,
        (Method::Get, ["api", "rooms"]) => Route::ListRooms,
        (Method::Post, ["api", "rooms"]) => Route::CreateRoom,
        (Method::Get, ["api", "rooms", room, "messages"]) => Route::ListMessages(room),
        _ => return None,
    })
}

impl Webrtc {
    pub(crate) fn new(
        config: &CompatConfig,
        store: CompatStore,
        primary: &Arc<dyn Primary>,
        ids: &Arc<ObjectIds>,
        namespaces: Vec<Namespace>,
    ) -> Self {
        let accounts = Accounts::new(
            System::Webrtc,
            config::System::Webrtc.name(),
            &config.webrtc_secret,
            store.clone(),
            Arc::clone(primary),
            Arc::clone(ids),
        );
        let live = Live::new(namespaces, store.clone(), Arc::clone(ids));
        Self {
            accounts,
            live: Arc::new(live),
            store,
            ids: Arc::clone(ids),
        }
    }

    /// Behind the namespace of its own.
    pub(crate) fn socket_face(self: &Arc<Self>) -> Arc<dyn Face> {
        Arc::new(WebrtcSocket(Arc::clone(self)))
    }

    /// Waits until accepted messages are stored and on their way.
    pub(crate) async fn flush(&self) {
        self.live.flush().await;
    }

    pub(crate) async fn answer(&self, request: &Request, path: &[&str]) -> Response {
        match route(&request.head().method, |method| find(method, path)) {
            Routed::Found(found) => Box::pin(self.run(found, request))
                .await
                .unwrap_or_else(SignallingError::into_response),
            Routed::WrongMethod(allowed) => {
                refuse(405, "Method not allowed").with_header("allow", allowed)
            }
            Routed::NotFound => refuse(404, "Not found"),
        }
    }

    async fn run(&self, route: Route<'_>, request: &Request) -> Result<Response, SignallingError> {
        match route {
            Route::Health => {
                let health = json!({"status": "OK", "timestamp": format_time(Utc::now())});
                Ok(Response::json(200, &health))
            }
            Route::SignUp => self.sign_up(request).await,
            Route::LogIn => self.log_in(request).await,
            Route::ListRooms => {
                self.caller(request)?;
                self.list_rooms().await
            }
            Route::CreateRoom => self.create_room(&self.caller(request)?, request).await,
            Route::ListMessages(room) => {
                self.caller(request)?;
                self.list_messages(room, request).await
            }
        }
    }

    /// Reads `Authorization: Bearer <token>`, the scheme in any case.
    fn caller(&self, request: &Request) -> Result<Caller, SignallingError> {
        let header = request.head().authorization.as_deref().unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        let token = token.trim();
        if token.is_empty() {
            return Err(SignallingError::refused(401, "No token provided"));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(SignallingError::refused(401, "Invalid or expired token"));
        }
        self.accounts
            .verify_token(token)
            .map(|claims| Caller { id: claims.user_id })
            .ok_or(SignallingError::refused(401, "Invalid or expired token"))
    }
}
