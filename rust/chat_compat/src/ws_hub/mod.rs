//! The face of "Real-Time Chat Backend Setup" (contract file ws-hub.md): REST for
//! accounts, rooms, history and images, and one socket for everything live.

mod accounts;
mod answers;
mod error;
mod history;
mod images;
mod live;
mod rooms;

use std::sync::Arc;

use chat_database::CompatStore;
use chat_database::compat::System;
use chat_gateway::{BridgeInput, UpgradeRequest};
use chat_hub::{BridgeOutput, Hub, HubError, StreamSource};
use serde_json::json;

pub(crate) use self::error::failure;
use self::error::{RestError, refuse};
use self::images::MAX_FORM_BYTES;
use self::live::Live;
pub(crate) use self::live::SocketLimits;
use crate::config::{self, CompatConfig};
use crate::shared::{
    Accounts, MAX_BODY_BYTES, Method, ObjectIds, Primary, Request, RequestHead, Response, Routed,
    route,
};

#[derive(Debug)]
pub(crate) struct WsHub {
    accounts: Arc<Accounts>,
    store: CompatStore,
    primary: Arc<dyn Primary>,
    ids: Arc<ObjectIds>,
    live: Arc<Live>,
}

/// Whoever a valid token names.
struct Caller {
    id: String,
}

enum Route<'a> {
    Health,
    Register,
    LogIn,
    OwnAccount,
    SearchUsers,
    ListRooms,
    CreateRoom,
    GetRoom(&'a str),
    JoinRoom(&'a str),
    LeaveRoom(&'a str),
    ListMessages(&'a str),
    UploadImage,
    GetImage(&'a str),
}

fn find<'a>(method: Method, path: &[&'a str]) -> Option<Route<'a>> {
    Some(match (method, path) {
        (Method::Get, ["health"]) => Route::Health,
        (Method::Post, ["api", "auth", "register"]) => Route::Register,
        (Method::Post, ["api", "auth", "login"]) => Route::LogIn,
        (Method::Get, ["api", "auth", "me"]) => Route::OwnAccount,
        (Method::Get, ["api", "users", "search"]) => Route::SearchUsers,
        (Method::Get, ["api", "rooms"]) => Route::ListRooms,
        (Method::Post, ["api", "rooms"]) => Route::CreateRoom,
        (Method::Get, ["api", "rooms", room]) => Route::GetRoom(room),
        (Method::Post, ["api", "rooms", room, "join"]) => Route::JoinRoom(room),
        (Method::Post, ["api", "rooms", room, "leave"]) => Route::LeaveRoom(room),
        (Method::Get, ["api", "rooms", room, "messages"]) => Route::ListMessages(room),
        (Method::Post, ["api", "upload", "image"]) => Route::UploadImage,
        (Method::Get, ["uploads", name]) => Route::GetImage(name),
        _ => return None,
    })
}

/// Whether open sockets are told what a request changes.
pub(crate) fn is_live(method: &str, path: &[&str]) -> bool {
    let routed = route(method, |method| find(method, path));
    matches!(
        routed,
        Routed::Found(Route::CreateRoom | Route::JoinRoom(_) | Route::LeaveRoom(_))
    )
}

impl WsHub {
    pub(crate) fn new(
        config: &CompatConfig,
        store: CompatStore,
        primary: &Arc<dyn Primary>,
        ids: &Arc<ObjectIds>,
        hub: Hub,
    ) -> Self {
        let accounts = Arc::new(Accounts::new(
            System::WsHub,
            config::System::WsHub.name(),
            &config.ws_hub_secret,
            store.clone(),
            Arc::clone(primary),
            Arc::clone(ids),
        ));
        let live = Live::new(
            hub,
            Arc::clone(&accounts),
            store.clone(),
            Arc::clone(primary),
            Arc::clone(ids),
        );
        Self {
            accounts,
            live: Arc::new(live),
            store,
            primary: Arc::clone(primary),
            ids: Arc::clone(ids),
        }
    }

    /// Says whether sockets are served here; if not, those that are open end.
    pub(crate) fn set_home(&self, is_home: bool) {
        self.live.set_home(is_home);
    }

    /// Where sockets come in.
    pub(crate) fn accept(
        &self,
        source: StreamSource,
        request: UpgradeRequest,
        limits: SocketLimits,
    ) {
        self.live.accept(source, request, limits);
    }

    /// # Errors
    /// If the service is stopping.
    pub(crate) fn open_bridge(
        &self,
        output: Arc<BridgeOutput>,
        limits: SocketLimits,
    ) -> Result<BridgeInput, HubError> {
        self.live.open_bridge(output, limits)
    }

    /// Waits until accepted messages are stored and on their way.
    pub(crate) async fn flush(&self) {
        self.live.flush().await;
    }

    /// The largest body of a request that is read; zero if the request is refused whatever its body is.
    pub(crate) fn max_body_bytes(&self, head: &RequestHead, path: &[&str]) -> usize {
        match route(&head.method, |method| find(method, path)) {
            Routed::Found(Route::UploadImage) if self.caller(head).is_ok() => MAX_FORM_BYTES,
            Routed::Found(Route::UploadImage) => 0,
            _ => MAX_BODY_BYTES,
        }
    }

    pub(crate) async fn answer(&self, request: &Request, path: &[&str]) -> Response {
        match route(&request.head().method, |method| find(method, path)) {
            Routed::Found(found) => Box::pin(self.run(found, request))
                .await
                .unwrap_or_else(RestError::into_response),
            Routed::WrongMethod(allowed) => {
                refuse(405, "Method not allowed").with_header("allow", allowed)
            }
            Routed::NotFound => refuse(404, "Not found"),
        }
    }

    async fn run(&self, route: Route<'_>, request: &Request) -> Result<Response, RestError> {
        let head = request.head();
        match route {
            Route::Health => Ok(Response::json(200, &json!({"status": "Server running"}))),
            Route::Register => self.register(request).await,
            Route::LogIn => self.log_in(request).await,
            Route::OwnAccount => self.own_account(&self.caller(head)?).await,
            Route::SearchUsers => self.search_users(&self.caller(head)?, request).await,
            Route::ListRooms => self.list_rooms(&self.caller(head)?, request).await,
            Route::CreateRoom => self.create_room(&self.caller(head)?, request).await,
            Route::GetRoom(room) => self.get_room(&self.caller(head)?, room).await,
            Route::JoinRoom(room) => self.join_room(&self.caller(head)?, room).await,
            Route::LeaveRoom(room) => self.leave_room(&self.caller(head)?, room).await,
            Route::ListMessages(room) => {
                let caller = self.caller(head)?;
                self.list_messages(&caller, room, request).await
            }
            Route::UploadImage => {
                self.caller(head)?;
                self.upload_image(request).await
            }
            Route::GetImage(name) => self.get_image(request, name).await,
        }
    }

    /// Reads `Authorization: Bearer <token>`, in exactly this form.
    fn caller(&self, head: &RequestHead) -> Result<Caller, RestError> {
        let header = head.authorization.as_deref();
        let header = header
            .filter(|header| !header.is_empty())
            .ok_or(RestError::refused(401, "No token provided"))?;
        let token = header
            .strip_prefix("Bearer ")
            .ok_or(RestError::refused(401, "Invalid token format"))?;
        let claims = self
            .accounts
            .verify_token(token)
            .ok_or(RestError::refused(401, "Invalid or expired token"))?;
        Ok(Caller { id: claims.user_id })
    }
}
