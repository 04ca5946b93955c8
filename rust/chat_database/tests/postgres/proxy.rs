//! A network that can be cut: a TCP proxy in front of the server, which can
//! also be the TLS end the server may lack.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::fake_server::{SSL_REQUEST, error_response};
use crate::fixture::TestDatabase;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What becomes of the connections when the proxy stops.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Not,
    Both,
    /// The server is not told, as when the network silently breaks.
    ClientOnly,
}

#[derive(Clone)]
enum Entrance {
    /// Whatever the server does.
    Plain,
    /// A server built or set up without TLS.
    WithoutTls,
    Tls(Arc<ServerConfig>),
}

/// What a server without TLS on a connection does.
#[derive(Clone, Copy)]
pub(crate) enum PlainConnections {
    Refuse,
    Forward,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    running: Option<(watch::Sender<Cut>, JoinHandle<()>)>,
}

struct Shared {
    target: (String, u16),
    entrance: Entrance,
    plain: PlainConnections,
    handshakes: AtomicUsize,
    /// Connections that only the server still believes in.
    graveyard: Mutex<Vec<Box<dyn Stream>>>,
}

impl Proxy {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        Self::new(database, Entrance::Plain, PlainConnections::Forward).await
    }

    pub(crate) async fn start_without_tls(database: &TestDatabase) -> Self {
        Self::new(database, Entrance::WithoutTls, PlainConnections::Forward).await
    }

    pub(crate) async fn start_tls(
        database: &TestDatabase,
        config: Arc<ServerConfig>,
        plain: PlainConnections,
    ) -> Self {
        Self::new(database, Entrance::Tls(config), plain).await
    }

    async fn new(database: &TestDatabase, entrance: Entrance, plain: PlainConnections) -> Self {
        let shared = Shared {
            target: database.address(),
            entrance,
            plain,
            handshakes: AtomicUsize::new(0),
            graveyard: Mutex::default(),
        };
        let mut proxy = Self {
            port: 0,
            shared: Arc::new(shared),
            running: None,
        };
        proxy.restart().await;
        proxy
    }

    /// How many TLS handshakes have succeeded.
    pub(crate) fn handshakes(&self) -> usize {
        self.shared.handshakes.load(Ordering::SeqCst)
    }

    /// Cuts all connections; new ones are refused from now on.
    pub(crate) async fn stop(&mut self, cut: Cut) {
        let (sender, task) = self.running.take().expect("the proxy runs");
        sender.send_replace(cut);
        task.await.expect("the proxy does not panic");
        // Every connection holds a receiver until it is cut.
        sender.closed().await;
    }

    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let listener = listener.expect("the port is free");
        self.port = listener.local_addr().expect("an address").port();
        let (sender, cut) = watch::channel(Cut::Not);
        let task = tokio::spawn(accept(listener, Arc::clone(&self.shared), cut));
        self.running = Some((sender, task));
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut cut: watch::Receiver<Cut>) {
    loop {
        tokio::select! {
            _ = cut.changed() => return,
            accepted = listener.accept() => {
                let (client, _) = accepted.expect("accepting works");
                tokio::spawn(serve(client, Arc::clone(&shared), cut.clone()));
            }
        }
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>, mut cut: watch::Receiver<Cut>) {
    let mut upstream: Box<dyn Stream> = shared.connect().await.expect("the server is there");
    tokio::select! {
        _ = cut.changed() => {}
        // A connection that ends or fails by itself is the test's business.
        _ = shared.forward(client, &mut upstream) => return,
    }
    if *cut.borrow() == Cut::ClientOnly {
        shared.graveyard.lock().expect("no panic").push(upstream);
    }
}

impl Shared {
    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let (host, port) = &self.target;
        Ok(if host.starts_with('/') {
            Box::new(UnixStream::connect(format!("{host}/.s.PGSQL.{port}")).await?)
        } else {
            Box::new(TcpStream::connect((host.as_str(), *port)).await?)
        })
    }

    async fn forward(&self, mut client: TcpStream, upstream: &mut dyn Stream) -> io::Result<()> {
        let mut upstream = upstream;
        let mut head = [0; 8];
        client.read_exact(&mut head).await?;
        match &self.entrance {
            Entrance::Tls(config) if head == SSL_REQUEST => {
                client.write_all(b"S").await?;
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                let mut client = acceptor.accept(client).await?;
                self.handshakes.fetch_add(1, Ordering::SeqCst);
                copy_bidirectional(&mut client, &mut upstream).await?;
                return Ok(());
            }
            Entrance::WithoutTls if head == SSL_REQUEST => {
                client.write_all(b"N").await?;
                copy_bidirectional(&mut client, &mut upstream).await?;
                return Ok(());
            }
            Entrance::Plain | Entrance::WithoutTls | Entrance::Tls(_) => {}
        }
        match self.plain {
            PlainConnections::Refuse => {
                let refusal = error_response("28000", "no entry for this host, no encryption");
                client.write_all(&refusal).await
            }
            PlainConnections::Forward => {
                upstream.write_all(&head).await?;
                copy_bidirectional(&mut client, &mut upstream).await?;
                Ok(())
            }
        }
    }
}
