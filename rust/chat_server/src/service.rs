//! Start and end of everything that runs.
//!
//! Order at the end: no new sockets, messages that were accepted are stored and
//! published, sockets close with 1012 and drain, the database closes, the lock
//! goes last. Stopping twice is fine.

use std::sync::Arc;
use std::time::Duration;

use chat_auth::TokenAuthority;
use chat_cluster::Cluster;
use chat_compat::{Compat, Primary, Request, RequestHead, Response};
use chat_database::{
    Claim, Database, DatabaseConfig, DatabaseUrl, InstanceLock, MessageWriter, MigrationReport,
};
use chat_gateway::{
    BridgeInput, ChatBackend, FORBIDDEN, Gateway, GatewayConfig, Refusal, SocketOptions,
    UpgradeRequest,
};
use chat_hub::{BridgeOutput, Heartbeat, Hub, HubConfig, StreamSource};
use chat_relay::Relay;
use chat_socketio::{SocketIo, SocketIoConfig};
use tokio::sync::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access_sweep;
use crate::changes::ChangeQueue;
use crate::chat::Chat;
use crate::cluster::Membership;
use crate::config::ServiceConfig;
use crate::entrance::Entrance;
use crate::error::ServiceError;
use crate::expiry_sweep;
use crate::files::{FileLibrary, cleaner};
use crate::passwords::Passwords;
use crate::reads::{self, ReadMarkers};
use crate::receipt_sweep;
use crate::tails::Tails;

/// How long handshakes under way and accepted messages may take at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);
/// How long peers may take to take what is queued for them and to answer the close.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// A running chat service.
#[derive(Debug)]
pub struct Service {
    chat: Arc<Chat>,
    gateway: Gateway,
    compat: Arc<Compat>,
    relay: Relay,
    /// None: this is the only process.
    cluster: Option<Cluster>,
    lock: RwLock<Option<InstanceLock>>,
    stopped: CancellationToken,
    handshakes: TaskTracker,
    stopping: Mutex<()>,
    shutdown_spread: Duration,
}

impl Service {
    /// Opens the database, takes the lock of the only process, starts the writer and the socket threads.
    ///
    /// # Errors
    /// A `Database` error that tells the operator what to change, or `Hub`.
    pub async fn start(config: ServiceConfig) -> Result<Self, ServiceError> {
        Self::open(config, None).await
    }

    /// Like [`start`](Self::start), for tests: `/socket.io/` and `/engine.io/` serve what the official conformance
    /// suites expect, with this heartbeat, instead of any system.
    ///
    /// # Errors
    /// As `start`.
    pub async fn start_for_conformance_suites(
        config: ServiceConfig,
        heartbeat: Heartbeat,
    ) -> Result<Self, ServiceError> {
        Self::open(config, Some(heartbeat)).await
    }

    async fn open(
        config: ServiceConfig,
        conformance: Option<Heartbeat>,
    ) -> Result<Self, ServiceError> {
        let database = Database::connect(DatabaseConfig {
            url: config.database_url,
            pool_size: config.database_pool_size,
        })
        .await?;
        let membership = match config.redis_url {
            Some(url) => Membership::begin(url, &database).await?,
            None => None,
        };
        let claim = match membership {
            Some(_) => Claim::Member,
            None => Claim::Only,
        };
        let lock = database.acquire_instance_lock(claim).await?;
        let files =
            FileLibrary::open(config.storage, config.max_file_bytes, database.clone()).await?;
        let writer = MessageWriter::start(database.clone(), membership.is_some()).await?;
        let hub_config = HubConfig {
            shards: config.socket_threads,
            outbox_max_bytes: config.outbox_max_bytes,
            resume_max_messages: config.resume_max_messages,
            presence_grace: config.presence_grace,
        };
        let hub = match &membership {
            Some(membership) => Hub::start_among(hub_config, membership.peers())?,
            None => Hub::start(hub_config)?,
        };
        let changes = ChangeQueue::open(
            database.clone(),
            writer.clone(),
            hub.clone(),
            Arc::clone(&files),
        );
        let chat = Arc::new(Chat {
            entrance: Entrance::open(database.clone(), membership.is_some()),
            database,
            writer,
            changes,
            hub: hub.clone(),
            tails: Tails::default(),
            reads: ReadMarkers::default(),
            resume_max_messages: config.resume_max_messages,
            tokens: TokenAuthority::new(
                &config.secret_key,
                config.algorithm,
                config.token_lifetime,
            ),
            passwords: Passwords::start()?,
            files: Arc::clone(&files),
            uploads: TaskTracker::new(),
        });
        let stopped = CancellationToken::new();
        tokio::spawn(
            stopped
                .clone()
                .run_until_cancelled_owned(access_sweep::run(Arc::clone(&chat))),
        );
        tokio::spawn(
            stopped
                .clone()
                .run_until_cancelled_owned(receipt_sweep::run(Arc::clone(&chat))),
        );
        tokio::spawn(
            stopped
                .clone()
                .run_until_cancelled_owned(reads::run(Arc::clone(&chat))),
        );
        tokio::spawn(
            stopped
                .clone()
                .run_until_cancelled_owned(cleaner::run(files, membership.is_none())),
        );
        let cluster = membership.as_ref().map(Membership::cluster);
        if config.session_max_age.is_some() {
            tokio::spawn(
                stopped
                    .clone()
                    .run_until_cancelled_owned(expiry_sweep::run(hub.clone())),
            );
        }
        let primary: Arc<dyn Primary> = chat.clone();
        let compat = Compat::new(config.compat, &chat.database, &hub, &primary);
        let compat = Arc::new(compat);
        let backend: Arc<dyn ChatBackend> = chat.clone();
        let socket_io = if let Some(heartbeat) = conformance {
            SocketIo::for_conformance_suites(hub.clone(), heartbeat)
        } else {
            let options = SocketIoConfig {
                max_packets_per_second: config.max_frames_per_second,
                ..SocketIoConfig::default()
            };
            SocketIo::new(options, hub.clone(), compat.socket_io_faces(&hub))
        };
        let relay = Relay::new(Arc::clone(&compat), socket_io, hub.clone(), cluster.clone());
        if let Some(membership) = membership {
            membership.run(&chat, relay.clone(), &stopped).await;
        }
        let gateway = Gateway::new(
            GatewayConfig {
                max_frames_per_second: config.max_frames_per_second,
                compression: config.compression,
                session_max_age: config.session_max_age,
            },
            hub,
            backend,
        );
        Ok(Self {
            chat,
            gateway,
            compat,
            relay,
            cluster,
            lock: RwLock::new(Some(lock)),
            stopped,
            handshakes: TaskTracker::new(),
            stopping: Mutex::new(()),
            shutdown_spread: config.shutdown_spread,
        })
    }

    /// The use cases.
    pub fn chat(&self) -> &Arc<Chat> {
        &self.chat
    }

    /// Whether queries run inside this process, see [`allow_blocking_queries`](crate::allow_blocking_queries).
    pub fn has_embedded_database(&self) -> bool {
        self.chat.database.is_embedded()
    }

    /// Serves a socket whose upgrade request was read by the server in front. Must
    /// be called on a thread of the runtime.
    pub fn accept_socket(&self, source: StreamSource, head: Vec<u8>, options: SocketOptions) {
        let (gateway, relay) = (self.gateway.clone(), self.relay.clone());
        self.handshakes.spawn(async move {
            let Some(request) = UpgradeRequest::parse(&head, &options.root_path) else {
                return source.answer_and_close(FORBIDDEN);
            };
            let max_connections = options.max_connections;
            let refused = relay.accept(source, request, max_connections).await;
            if let Some((source, request)) = refused {
                gateway.accept(source, request, &options).await;
            }
        });
    }

    /// Admits a client whose frames another server carries. `protocols` are the
    /// subprotocols it offers; the server answers with the first one.
    ///
    /// # Errors
    /// `HandshakeRefused`; `HandshakePostponed` if that cannot be decided now.
    pub async fn open_bridge(
        &self,
        room: &str,
        query: &str,
        protocols: &[String],
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, ServiceError> {
        let opened = self.gateway.open_bridge(room, query, protocols, output);
        opened.await.map_err(|refusal| match refusal {
            Refusal::Denied => ServiceError::HandshakeRefused,
            Refusal::Unavailable => ServiceError::HandshakePostponed,
        })
    }

    /// Socket.IO, for requests and for sockets that another server carries.
    pub fn socket_io(&self) -> &Relay {
        &self.relay
    }

    /// The largest body that is read of a request to a sibling system.
    pub fn max_compat_body_bytes(&self, head: &RequestHead) -> usize {
        self.compat.max_body_bytes(head)
    }

    /// Answers a request to a sibling system.
    pub async fn answer_compat(&self, request: Request) -> Response {
        self.relay.answer_compat(request).await
    }

    /// Serves the socket of a sibling system whose frames another server carries.
    ///
    /// # Errors
    /// `HandshakeRefused`.
    pub async fn open_compat_bridge(
        &self,
        path: &str,
        output: Arc<BridgeOutput>,
    ) -> Result<BridgeInput, ServiceError> {
        self.relay
            .open_compat_bridge(path, output)
            .await
            .ok_or(ServiceError::HandshakeRefused)
    }

    /// Resolves with the reason when this process may no longer serve; with none
    /// when the service stops.
    pub async fn lost(&self) -> Option<String> {
        let lost = async {
            match self.lock.read().await.as_ref() {
                Some(lock) => lock.lost().await,
                None => std::future::pending().await,
            }
        };
        self.stopped.run_until_cancelled(lost).await
    }

    /// Takes no more sockets and closes those that are there with 1012, spread as the settings say. Requests go on,
    /// so this may come as soon as the process is told to end.
    pub async fn close_sockets(&self) {
        self.handshakes.close();
        self.chat.hub.dismiss(self.shutdown_spread).await;
    }

    /// Stops everything. Twice is fine.
    pub async fn stop(&self) {
        let _one_at_a_time = self.stopping.lock().await;
        self.close_sockets().await;
        self.chat.uploads.close();
        let accepted_is_done = async {
            self.handshakes.wait().await;
            self.chat.uploads.wait().await;
            self.chat.changes.flush_and_stop().await;
            self.chat.writer.flush_and_stop().await;
            self.compat.flush().await;
        };
        if tokio::time::timeout(FLUSH_PATIENCE, accepted_is_done)
            .await
            .is_err()
        {
            tracing::warn!(
                "messages or uploads were not stored in time: the database or the store does not answer"
            );
        }
        self.chat.hub.shut_down(DRAIN_PATIENCE).await;
        // What sockets have said to the last.
        if tokio::time::timeout(FLUSH_PATIENCE, self.chat.flush_reads())
            .await
            .is_err()
        {
            tracing::warn!("what users have read was not stored in time");
        }
        if let Some(cluster) = &self.cluster {
            cluster.leave().await;
        }
        self.chat.database.close().await;
        self.stopped.cancel();
        if let Some(lock) = self.lock.write().await.take() {
            lock.release().await;
        }
    }
}

/// Creates what is missing in a database and touches nothing else.
///
/// # Errors
/// Why the database cannot be reached or changed.
pub async fn migrate(url: DatabaseUrl) -> Result<MigrationReport, ServiceError> {
    let database = Database::connect(DatabaseConfig { url, pool_size: 1 }).await?;
    let report = database.migration().clone();
    database.close().await;
    Ok(report)
}
