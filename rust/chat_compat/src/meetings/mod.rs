//! The face of "RealTime Chat Backend" (contract file realtime-meetings.md): REST for
//! the metadata of meetings, Socket.IO for what happens in them.

mod empty;
mod error;
mod identity;
mod live;
mod socket;

use std::sync::Arc;

use chat_auth::ExternalTokens;
use chat_database::CompatStore;
use chat_database::compat::{EndedMeeting, Meeting};
use chat_socketio::{Face, Namespace};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Mutex, watch};

use self::empty::end_empty_meetings;
pub(crate) use self::error::failure;
use self::error::{MeetingError, refuse};
pub(crate) use self::identity::Identity as MeetingsIdentity;
use self::live::LiveMeetings;
use self::socket::MeetingsSocket;
pub(crate) use self::socket::is_meeting_event;
use crate::config::{CompatConfig, System};
use crate::shared::{Method, Primary, Request, Response, Routed, format_time, meeting_id, route};

#[derive(Debug)]
pub(crate) struct Meetings {
    store: CompatStore,
    tokens: ExternalTokens,
    primary: Arc<dyn Primary>,
    is_open: bool,
    live: LiveMeetings,
    noting: Mutex<()>,
    /// Whether this process knows who is in the meetings.
    is_home: watch::Sender<bool>,
}

enum Route<'a> {
    Welcome,
    Create,
    Get(&'a str),
    End(&'a str),
}

fn find<'a>(method: Method, path: &[&'a str], is_mounted: bool) -> Option<Route<'a>> {
    Some(match (method, path) {
        (Method::Get, []) if is_mounted => Route::Welcome,
        (Method::Post, ["api", "meetings"]) => Route::Create,
        (Method::Get, ["api", "meetings", id]) => Route::Get(id),
        (Method::Put, ["api", "meetings", id, "end"]) => Route::End(id),
        _ => return None,
    })
}

/// Whether a request changes what sockets may do.
pub(crate) fn is_live(method: &str, path: &[&str], is_mounted: bool) -> bool {
    let routed = route(method, |method| find(method, path, is_mounted));
    matches!(routed, Routed::Found(Route::End(_)))
}

#[derive(Serialize)]
struct Wrapped<'a> {
    meeting: MeetingAnswer<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MeetingAnswer<'a> {
    id: &'a str,
    creator_id: &'a str,
    status: &'a str,
    created_at: String,
}

impl<'a> From<&'a Meeting> for MeetingAnswer<'a> {
    fn from(meeting: &'a Meeting) -> Self {
        Self {
            id: &meeting.id,
            creator_id: &meeting.creator_id,
            status: meeting.status.as_str(),
            created_at: format_time(meeting.created_at),
        }
    }
}

impl Meetings {
    pub(crate) fn new(
        config: &CompatConfig,
        store: CompatStore,
        primary: Arc<dyn Primary>,
        namespaces: Vec<Namespace>,
    ) -> Arc<Self> {
        let meetings = Arc::new(Self {
            store,
            tokens: ExternalTokens::new(&config.meetings_secret),
            primary,
            is_open: config.meetings_open,
            live: LiveMeetings::new(namespaces),
            noting: Mutex::default(),
            is_home: watch::Sender::new(false),
        });
        if config.systems.contains(&System::Meetings) {
            let patience = config.meetings_empty;
            let is_home = meetings.is_home.subscribe();
            tokio::spawn(end_empty_meetings(
                Arc::downgrade(&meetings),
                is_home,
                patience,
            ));
        }
        meetings
    }

    /// Says whether this process knows who is in the meetings.
    pub(crate) fn set_home(&self, is_home: bool) {
        self.is_home.send_replace(is_home);
    }

    /// Whether sockets need no token.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Behind the namespace of its own.
    pub(crate) fn socket_face(self: &Arc<Self>) -> Arc<dyn Face> {
        Arc::new(MeetingsSocket(Arc::clone(self)))
    }

    pub(crate) async fn answer(
        &self,
        request: &Request,
        path: &[&str],
        is_mounted: bool,
    ) -> Response {
        let find = |method| find(method, path, is_mounted);
        match route(&request.head().method, find) {
            Routed::Found(found) => Box::pin(self.run(found, request))
                .await
                .unwrap_or_else(MeetingError::into_response),
            Routed::WrongMethod(allowed) => {
                refuse(405, "Método no permitido").with_header("allow", allowed)
            }
            Routed::NotFound => refuse(404, "Ruta no encontrada"),
        }
    }

    /// Bodies are not looked at: no route has one.
    async fn run(&self, route: Route<'_>, request: &Request) -> Result<Response, MeetingError> {
        match route {
            Route::Welcome => Ok(Response::text(
                200,
                "🚀 Backend de chat para RealTime funcionando correctamente.",
            )),
            Route::Create => {
                let identity = self.caller(request).await?;
                let meeting = self
                    .store
                    .create_meeting(meeting_id()?, &identity.user_id)
                    .await?;
                Ok(wrapped(201, &meeting))
            }
            Route::Get(id) => {
                self.caller(request).await?;
                let meeting = self
                    .store
                    .find_meeting(id)
                    .await?
                    .ok_or(MeetingError::refused(404, "Reunión no encontrada"))?;
                Ok(wrapped(200, &meeting))
            }
            Route::End(id) => {
                let identity = self.caller(request).await?;
                match self.store.end_meeting(id, &identity.user_id).await? {
                    EndedMeeting::Ended => {
                        self.live.set_ended(id);
                        Ok(Response::json(
                            200,
                            &json!({"message": "Reunión finalizada"}),
                        ))
                    }
                    EndedMeeting::NotTheCreator => Err(MeetingError::refused(
                        403,
                        "Solo el creador puede finalizar la reunión",
                    )),
                    EndedMeeting::NoMeeting => {
                        Err(MeetingError::refused(404, "Reunión no encontrada"))
                    }
                }
            }
        }
    }
}

fn wrapped(status: u16, meeting: &Meeting) -> Response {
    let meeting = meeting.into();
    Response::json(status, &Wrapped { meeting })
}
