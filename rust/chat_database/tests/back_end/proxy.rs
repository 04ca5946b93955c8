//! A way to the server that can be cut: a TCP port whose connections are
//! passed on.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

pub(crate) struct Proxy {
    address: SocketAddr,
    server: Config,
    tasks: Tasks,
}

/// The listening task and one per connection.
type Tasks = Arc<Mutex<Vec<JoinHandle<()>>>>;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Self {
            address: listener.local_addr().expect("an address"),
            server: server.parse().expect("a valid URL"),
            tasks: Tasks::default(),
        };
        proxy.serve(listener);
        proxy
    }

    /// The URL of the same database through this port.
    pub(crate) fn url(&self) -> String {
        let user = self.server.get_user().unwrap_or("postgres");
        let password = self.server.get_password().unwrap_or_default();
        let password = String::from_utf8_lossy(password);
        let database = self.server.get_dbname().expect("a database");
        format!("postgresql://{user}:{password}@{}/{database}", self.address)
    }

    /// Breaks all connections; new ones are refused.
    pub(crate) async fn cut(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("no panic"));
        for task in tasks {
            task.abort();
            // Ends in "cancelled"; only then are its sockets closed.
            let _ = task.await;
        }
    }

    pub(crate) async fn mend(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the port");
        self.serve(listener);
    }

    fn serve(&self, listener: TcpListener) {
        let (tasks, server) = (Arc::clone(&self.tasks), self.server.clone());
        let accept = async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let server = server.clone();
                let pass_on = tokio::spawn(async move {
                    let mut server = connect(&server).await;
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
                tasks.lock().expect("no panic").push(pass_on);
            }
        };
        self.tasks
            .lock()
            .expect("no panic")
            .push(tokio::spawn(accept));
    }
}

async fn connect(server: &Config) -> Box<dyn Stream> {
    let port = server.get_ports().first().copied().unwrap_or(5432);
    match server.get_hosts().first().expect("a host") {
        Host::Tcp(host) => {
            let stream = TcpStream::connect((host.as_str(), port)).await;
            Box::new(stream.expect("the server"))
        }
        Host::Unix(folder) => {
            let path = folder.join(format!(".s.PGSQL.{port}"));
            Box::new(UnixStream::connect(path).await.expect("the server"))
        }
    }
}
