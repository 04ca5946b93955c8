//! Many WebSocket connections, each with a task that reads and writes it.
//!
//! tungstenite is the codec: independent of the server's own encoder, and it
//! answers pings. A socket that ends before it is dropped is a fault.

use std::rc::Rc;

use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::error::BenchError;
use crate::ledger::Ledger;

/// Handshakes under way at once.
const CONCURRENT_HANDSHAKES: usize = 32;
/// The default of 128 kB would make the client the largest process here.
const BUFFER_BYTES: usize = 16 * 1024;

/// All sockets of a run; dropping it closes them.
#[derive(Debug)]
pub(crate) struct Sockets {
    outgoing: Vec<mpsc::UnboundedSender<String>>,
}

impl Sockets {
    /// Connects to all addresses; what arrives goes to the ledger.
    pub(crate) async fn connect(urls: &[String], ledger: &Rc<Ledger>) -> Result<Self, BenchError> {
        let streams: Vec<WebSocketStream<TcpStream>> = stream::iter(urls)
            .map(|url| connect(url))
            .buffered(CONCURRENT_HANDSHAKES)
            .enumerate()
            .map(|(index, stream)| stream.map(|stream| (index, stream)))
            .try_fold(Vec::with_capacity(urls.len()), async |mut all, (_, stream)| {
                all.push(stream);
                Ok(all)
            })
            .await?;
        let outgoing = streams
            .into_iter()
            .enumerate()
            .map(|(index, stream)| {
                let (sender, receiver) = mpsc::unbounded_channel();
                tokio::task::spawn_local(serve(index, stream, receiver, Rc::clone(ledger)));
                sender
            })
            .collect();
        Ok(Self { outgoing })
    }

    /// Sends a text on one socket; its end, if it ended, is in the ledger.
    pub(crate) fn send(&self, socket: usize, text: String) {
        let _ = self.outgoing[socket].send(text);
    }
}
