//! Many WebSocket connections, each with a task that reads and writes it.
//!
//! tungstenite is the codec: independent of the server's own encoder, and it
//! answers pings. A socket that ends before the run does is a fault.

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
        let outgoing = stream::iter(urls.iter().enumerate())
            .map(|(index, url)| async move {
                let stream = connect(url).await?;
                let (sender, receiver) = mpsc::unbounded_channel();
                // Reads while others still connect: their arrival is announced.
                tokio::task::spawn_local(serve(index, stream, receiver, Rc::clone(ledger)));
                Ok::<_, BenchError>(sender)
            })
            .buffered(CONCURRENT_HANDSHAKES)
            .try_collect()
            .await?;
        Ok(Self { outgoing })
    }

    /// Sends a text on one socket; if that socket has ended, the ledger knows.
    pub(crate) fn send(&self, socket: usize, text: String) {
        let _ = self.outgoing[socket].send(text);
    }
}

async fn connect(url: &str) -> Result<WebSocketStream<TcpStream>, BenchError> {
    let request = url.into_client_request()?;
    let authority = request.uri().authority();
    let authority = authority.ok_or(BenchError::Plan("an address without a host"))?;
    let stream = TcpStream::connect(authority.as_str()).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0);
    let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
    Ok(stream)
}

async fn serve(
    index: usize,
    mut stream: WebSocketStream<TcpStream>,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    ledger: Rc<Ledger>,
) {
    let reason = loop {
        tokio::select! {
            biased;
            frame = stream.next() => match frame {
                Some(Ok(Message::Text(text))) => ledger.on_frame(index, &text),
                Some(Ok(Message::Close(frame))) => break format!("closed by the server: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.to_string(),
                None => break "end of the stream".to_owned(),
            },
            text = outgoing.recv() => match text {
                Some(text) => if let Err(error) = stream.send(Message::text(text)).await {
                    break error.to_string();
                },
                None => {
                    // The run is over; whether the goodbye arrives does not matter.
                    let _ = stream.close(None).await;
                    return;
                }
            },
        }
    };
    ledger.on_end(index, &reason);
}
