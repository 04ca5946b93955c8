//! The sibling systems on a hub, and clients that speak WebSocket by hand: one that
//! answers no ping is no client of a library.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chat_auth::RealmTokens;
use chat_compat::{
    BoxFuture, Compat, CompatConfig, CompatError, Conditions, Image, ImageRefusal, Primary,
    PrimaryUser, System,
};
use chat_database::{Database, DatabaseConfig, DatabaseUrl};
use chat_gateway::UpgradeRequest;
use chat_hub::{Hub, HubConfig, StreamSource};
use chat_socketio::{SocketIo, SocketIoConfig};
use secrecy::SecretString;
use serde_json::Value;
use tempfile::TempDir;

use crate::clock::Clock;

/// Of real time, for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "the-secret-of-a-test-0123456789abcdef";

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A primary service that is never asked.
#[derive(Debug)]
struct NoPrimary;

fn refused<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, CompatError>> {
    Box::pin(async { Err(CompatError::NotRunning) })
}

impl Primary for NoPrimary {
    fn find_bearer<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<PrimaryUser>, CompatError>> {
        refused()
    }

    fn hash_password(&self, _: String) -> BoxFuture<'_, Result<String, CompatError>> {
        refused()
    }

    fn verify_password(
        &self,
        _: String,
        _: Option<String>,
    ) -> BoxFuture<'_, Result<bool, CompatError>> {
        refused()
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

/// All sibling systems, whose time stands still.
pub(crate) struct Service {
    compat: Compat,
    socket_io: SocketIo,
    pub(crate) clock: Clock,
    hub: Hub,
    database: Database,
    _folder: TempDir,
}

impl Service {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:///{}/chat.db", folder.path().display());
        let config = DatabaseConfig {
            url: DatabaseUrl::parse(&url).expect("an address"),
            pool_size: 1,
        };
        let database = Database::connect(config).await.expect("a database");
        let hub = Hub::start(HubConfig {
            shards: 1,
            outbox_max_bytes: 1024 * 1024,
            resume_max_messages: 0,
            presence_grace: Duration::ZERO,
        })
        .expect("threads");
        let secret = || SecretString::from(SECRET);
        let config = CompatConfig {
            systems: System::ALL.to_vec(),
            meetings_secret: secret(),
            ws_hub_secret: secret(),
            webrtc_secret: secret(),
            calls_open: false,
            meetings_open: false,
            meetings_empty: Duration::from_secs(300),
            livekit: None,
            max_frames_per_second: 1000,
        };
        let primary: Arc<dyn Primary> = Arc::new(NoPrimary);
        let compat = Compat::new(config, &database, &hub, &primary);
        let faces = compat.socket_io_faces(&hub);
        Self {
            socket_io: SocketIo::new(SocketIoConfig::default(), hub.clone(), faces),
            clock: Clock::stop(&hub).await,
            compat,
            hub,
            database,
            _folder: folder,
        }
    }

    /// Connects a client at this path.
    pub(crate) async fn open(&self, target: &str) -> Client {
        let (server, stream) = UnixStream::pair().expect("a socket pair");
        server.set_nonblocking(true).expect("non-blocking");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: chat.example\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let request = UpgradeRequest::parse(head.as_bytes(), "").expect("an upgrade");
        let source = StreamSource::Unix(server);
        if let Err((source, request)) = self.socket_io.accept(source, request, None).await {
            let left = self.compat.accept(source, request, None);
            assert!(left.is_none(), "{target} is nobody's");
        }
        let mut client = Client { stream };
        client.skip_head();
        client
    }

    /// Ends everything; the clients must be gone.
    pub(crate) async fn stop(self) {
        self.hub.shut_down(PATIENCE).await;
        self.database.close().await;
    }
}

/// A token of this system for a user whose id and name are the same.
pub(crate) fn token(system: System, user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let tokens = RealmTokens::new(&SecretString::from(SECRET), system.name());
    let token = tokens.issue(user, user, now.expect("after 1970").as_secs());
    token.expect("a token")
}

/// One end of a WebSocket.
pub(crate) struct Client {
    stream: UnixStream,
}

impl Client {
    fn skip_head(&mut self) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read::<1>().expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
    }

    /// Sends a frame; a mask of zeros leaves its payload as it is.
    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match u8::try_from(payload.len()) {
            Ok(length @ ..126) => frame.push(0x80 | length),
            _ => {
                let length = u16::try_from(payload.len()).expect("a short frame");
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.stream.write_all(&frame).expect("the frame is sent");
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// The next frame: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let [first, second] = self.read().expect("a frame");
        let length = match second {
            126 => u16::from_be_bytes(self.read().expect("a length")).into(),
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        let read = self.stream.read_exact(&mut payload);
        read.expect("a payload");
        (first, payload)
    }

    pub(crate) fn text(&mut self) -> String {
        let (first, payload) = self.frame();
        assert_eq!(first, TEXT, "{payload:?}");
        String::from_utf8(payload).expect("a text")
    }

    pub(crate) fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }

    /// The code of the close frame that comes next.
    pub(crate) fn close_code(&mut self) -> u16 {
        let (first, payload) = self.frame();
        assert_eq!(first, CLOSE, "{payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }

    fn read<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
