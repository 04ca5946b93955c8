//! The face of "Guía de Integración Backend" (contract file calls-livekit.md): users,
//! one-to-one calls and voice rooms; the media server carries the media.

mod announcements;
mod answers;
mod error;
mod livekit;
mod one_to_one;
mod rooms;
mod socket;
mod users;

use std::sync::Arc;

use chat_database::CompatStore;
use chat_database::compat::CallUser;
use chat_protocol::ids::UserId;
use chat_socketio::{Face, Namespace, Socket};

use self::announcements::Announcements;
pub(crate) use self::error::failure;
use self::error::{CallError, refuse};
use self::livekit::LiveKit;
use self::socket::CallsSocket;
use crate::config::CompatConfig;
use crate::shared::{CompatError, Method, Primary, Request, Response, Routed, route};

#[derive(Debug)]
pub(crate) struct Calls {
    is_open: bool,
    store: CompatStore,
    primary: Arc<dyn Primary>,
    livekit: Option<LiveKit>,
    announcements: Announcements,
}

/// On whose behalf a request is: anybody's in open mode.
#[derive(Clone, Copy)]
struct Caller(Option<UserId>);

impl Caller {
    /// In secure mode a user belongs to the account that made it.
    fn may_act_as(self, user: &CallUser) -> Result<(), CallError> {
        if self.owns(user) {
            Ok(())
        } else {
            Err(CallError::forbidden())
        }
    }

    fn owns(self, user: &CallUser) -> bool {
        self.0.is_none() || self.0 == user.owner
    }
}

enum Route<'a> {
    CreateUser,
    ListUsers,
    AttachDevice(&'a str),
    ListDevices,
    StartCall,
    EndCall(&'a str),
    MakeToken,
    CreateRoom,
    ListRooms,
    ListRoomUsers(&'a str),
    JoinRoom(&'a str),
}

fn find<'a>(method: Method, path: &[&'a str]) -> Option<Route<'a>> {
    Some(match (method, path) {
        (Method::Post, ["users"]) => Route::CreateUser,
        (Method::Get, ["users"]) => Route::ListUsers,
        (Method::Post, ["users", id, "attach-device"]) => Route::AttachDevice(id),
        (Method::Get, ["devices"]) => Route::ListDevices,
        (Method::Post, ["calls"]) => Route::StartCall,
        (Method::Post, ["calls", id, "end"]) => Route::EndCall(id),
        (Method::Post, ["livekit", "token"]) => Route::MakeToken,
        (Method::Post, ["rooms"]) => Route::CreateRoom,
        (Method::Get, ["rooms"]) => Route::ListRooms,
        (Method::Get, ["rooms", id, "users"]) => Route::ListRoomUsers(id),
        (Method::Post, ["rooms", id, "join"]) => Route::JoinRoom(id),
        _ => return None,
    })
}

/// Whether a request is announced, or is to come in turn with what is.
pub(crate) fn is_live(method: &str, path: &[&str]) -> bool {
    match route(method, |method| find(method, path)) {
        Routed::Found(
            Route::CreateUser
            | Route::AttachDevice(_)
            | Route::StartCall
            | Route::EndCall(_)
            | Route::CreateRoom
            | Route::JoinRoom(_),
        ) => true,
        Routed::Found(
            Route::ListUsers
            | Route::ListDevices
            | Route::MakeToken
            | Route::ListRooms
            | Route::ListRoomUsers(_),
        )
        | Routed::WrongMethod(_)
        | Routed::NotFound => false,
    }
}

impl Calls {
    pub(crate) fn new(
        config: &CompatConfig,
        store: CompatStore,
        primary: Arc<dyn Primary>,
        namespaces: Vec<Namespace>,
    ) -> Self {
        Self {
            is_open: config.calls_open,
            store,
            primary,
            livekit: config.livekit.clone().map(LiveKit::new),
            announcements: Announcements::new(namespaces),
        }
    }

    /// Whether nobody needs a token.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the token lets its bearer hear announcements.
    pub(crate) async fn is_listener(&self, token: &str) -> Result<bool, CompatError> {
        Ok(self.primary.find_bearer(token).await?.is_some())
    }

    /// From here on the socket hears announcements.
    pub(crate) fn listen(&self, socket: &Socket) {
        socket.join(socket::LISTENERS);
    }

    /// What decides who hears the announcements.
    pub(crate) fn socket_face(self: &Arc<Self>) -> Arc<dyn Face> {
        Arc::new(CallsSocket(Arc::clone(self)))
    }

    pub(crate) async fn answer(&self, request: &Request, path: &[&str]) -> Response {
        match route(&request.head().method, |method| find(method, path)) {
            Routed::Found(found) => Box::pin(self.run(found, request))
                .await
                .unwrap_or_else(CallError::into_response),
            Routed::WrongMethod(allowed) => refuse(405, "Method Not Allowed", "Method Not Allowed")
                .with_header("allow", allowed),
            Routed::NotFound => refuse(404, "Not Found", "Not Found"),
        }
    }

    async fn run(&self, route: Route<'_>, request: &Request) -> Result<Response, CallError> {
        let caller = self.caller(request).await?;
        match route {
            Route::CreateUser => self.create_user(caller, request).await,
            Route::ListUsers => self.list_users().await,
            Route::AttachDevice(user) => self.attach_device(caller, user, request).await,
            Route::ListDevices => self.list_devices().await,
            Route::StartCall => self.start_call(caller, request).await,
            Route::EndCall(call) => self.end_call(caller, call).await,
            Route::MakeToken => self.make_token(caller, request).await,
            Route::CreateRoom => self.create_room(request).await,
            Route::ListRooms => self.list_rooms().await,
            Route::ListRoomUsers(room) => self.list_room_users(room).await,
            Route::JoinRoom(room) => self.join_room(caller, room, request).await,
        }
    }

    /// In secure mode, `Authorization: Bearer <IzpoChat token>`.
    async fn caller(&self, request: &Request) -> Result<Caller, CallError> {
        if self.is_open {
            return Ok(Caller(None));
        }
        let header = request.head().authorization.as_deref().unwrap_or_default();
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Err(CallError::Unauthorized);
        }
        let user = self.primary.find_bearer(token.trim()).await?;
        match user {
            Some(user) => Ok(Caller(Some(user.id))),
            None => Err(CallError::Unauthorized),
        }
    }

    /// The media server, where a route cannot do without.
    fn livekit(&self) -> Result<&LiveKit, CallError> {
        self.livekit.as_ref().ok_or(CallError::Refused(
            503,
            "LiveKit is not configured",
            "Service Unavailable",
        ))
    }

    async fn find_user(&self, id: &str) -> Result<CallUser, CallError> {
        self.store
            .find_call_user(id)
            .await?
            .ok_or(CallError::not_found("User not found"))
    }
}
