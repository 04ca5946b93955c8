//! A process of a cluster, as far as the sibling systems are concerned.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_cluster::{Cluster, ClusterConfig, Event, NodeId};
use chat_compat::{
    Body, BoxFuture, Compat, CompatConfig, CompatError, Conditions, Image, ImageRefusal, Primary,
    PrimaryUser, Request, RequestHead, System,
};
use chat_database::{Database, DatabaseConfig, DatabaseUrl};
use chat_hub::{Hub, HubConfig};
use chat_relay::{Home, Relay};
use chat_socketio::{EngineRequest, Face, HttpAnswer, Namespace, SocketIo, SocketIoConfig};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::face::{ROOMS, Rooms};

/// For what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A primary service whose passwords are kept as they are.
#[derive(Debug)]
struct PlainPrimary;

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, CompatError>> {
    Box::pin(async { Err(CompatError::NotRunning) })
}

impl Primary for PlainPrimary {
    fn find_bearer<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<PrimaryUser>, CompatError>> {
        refused()
    }

    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, CompatError>> {
        Box::pin(async { Ok(password) })
    }

    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
    ) -> BoxFuture<'_, Result<bool, CompatError>> {
        Box::pin(async move { Ok(hash == Some(password)) })
    }

    fn store_image(
        &self,
        _: Bytes,
    ) -> BoxFuture<'_, Result<Result<String, ImageRefusal>, CompatError>> {
        refused()
    }

    fn open_image<'a>(
        &'a self,
        _: &'a str,
        _: Conditions,
    ) -> BoxFuture<'a, Result<Option<Image>, CompatError>> {
        refused()
    }

    fn is_image_name(&self, _: &str) -> bool {
        false
    }
}

pub(crate) struct Process {
    pub(crate) relay: Relay,
    cluster: Cluster,
    hub: Hub,
    database: Database,
    listening: JoinHandle<()>,
}

impl Process {
    async fn start(name: &str, folder: &TempDir) -> Self {
        let url = std::env::var("IZPOCHAT_TEST_REDIS_URL");
        let config = ClusterConfig {
            url: url.expect("IZPOCHAT_TEST_REDIS_URL names a server").into(),
            name: name.to_owned(),
        };
        let (cluster, mut events) = Cluster::join(config).await.expect("joined");
        assert_eq!(events.recv().await, Some(Event::Connected));
        let url = format!("sqlite:///{}/chat.db", folder.path().display());
        let config = DatabaseConfig {
            url: DatabaseUrl::parse(&url).expect("an address"),
            pool_size: 1,
        };
        let database = Database::connect(config).await.expect("a database");
        let hub = Hub::start(HubConfig {
            shards: 2,
            outbox_max_bytes: 1024 * 1024,
            resume_max_messages: 0,
            presence_grace: Duration::ZERO,
        })
        .expect("threads");
        let compat = Arc::new(compat(&database, &hub));
        let rooms: Arc<dyn Face> = Arc::new(Rooms);
        let mut faces = compat.socket_io_faces(&hub);
        faces.push((Namespace::new(hub.clone(), ROOMS), rooms));
        let socket_io = SocketIo::new(SocketIoConfig::default(), hub.clone(), faces);
        let relay = Relay::new(compat, socket_io, hub.clone(), Some(cluster.clone()));
        let listening = tokio::spawn(listen(relay.clone(), events));
        Self {
            relay,
            cluster,
            hub,
            database,
            listening,
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.cluster.node()
    }

    /// A request to Socket.IO.
    pub(crate) async fn engine(&self, method: &str, query: &str, body: &str) -> HttpAnswer {
        let request = EngineRequest {
            query: query.to_owned(),
            authorization: None,
        };
        let path = "/socket.io";
        let answer = self.relay.request(path, method, request, body.as_bytes());
        answer.await
    }

    /// A request to ws-hub.
    pub(crate) async fn ws_hub(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let head = RequestHead {
            method: method.to_owned(),
            path: format!("/compat/ws-hub{path}"),
            authorization: token.map(|token| format!("Bearer {token}")),
            ..RequestHead::default()
        };
        let request = Request::new(head, Some(body.to_string().into_bytes()));
        let answer = self.relay.answer_compat(request).await;
        let Body::Bytes(body) = answer.body else {
            panic!("an image");
        };
        let body = serde_json::from_slice(&body).expect("JSON");
        (answer.status, body)
    }

    /// Ends it as it should; clients of others see it go.
    pub(crate) async fn stop(self) {
        self.hub.shut_down(PATIENCE).await;
        self.cluster.leave().await;
        let _ = self.listening.await;
        self.database.close().await;
    }

    /// The others see it go; its sockets stay for the moment.
    pub(crate) async fn vanish(&self) {
        self.cluster.leave().await;
    }
}

async fn listen(relay: Relay, mut events: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Connected => relay.on_connected(),
            Event::NodeCame(_) => {}
            Event::NodeGone(node) => relay.on_node_gone(node),
            Event::Message { from, payload, .. } => relay.on_message(from, &payload),
        }
    }
}

fn compat(database: &Database, hub: &Hub) -> Compat {
    let secret = || SecretString::from("the-secret-of-a-test-0123456789abcdef");
    let config = CompatConfig {
        systems: System::ALL.to_vec(),
        meetings_secret: secret(),
        ws_hub_secret: secret(),
        webrtc_secret: secret(),
        calls_open: false,
        meetings_open: false,
        meetings_empty: Duration::from_secs(300),
        livekit: None,
        max_frames_per_second: 100_000,
    };
    let primary: Arc<dyn Primary> = Arc::new(PlainPrimary);
    Compat::new(config, database, hub, &primary)
}

/// The home and an edge.
pub(crate) struct Two {
    pub(crate) home: Process,
    pub(crate) edge: Process,
    _folder: TempDir,
}

impl Two {
    /// Those of one test have a name of their own.
    pub(crate) async fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Process::start(name, &folder).await;
        let edge = Process::start(name, &folder).await;
        home.relay.set_home(Home::This);
        edge.relay.set_home(Home::Other(home.node()));
        Self {
            home,
            edge,
            _folder: folder,
        }
    }

    pub(crate) async fn stop(self) {
        self.edge.stop().await;
        self.home.stop().await;
    }
}
