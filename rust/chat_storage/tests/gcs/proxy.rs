//! A server that fails on demand: forwards one request per connection to the
//! emulator, keeps the first line and the headers, and breaks what it is told to.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::fixture::emulator;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Answered with this status, not forwarded.
    Refuse(u16),
    /// Not forwarded, not answered.
    LoseRequest,
    /// Forwarded, not answered.
    LoseAnswer,
    /// Answered up to this many bytes.
    CutAnswer(usize),
    /// Forwarded with another last byte.
    Damage,
}

/// Ends with the value.
pub(crate) struct Proxy {
    pub(crate) address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    heads: Mutex<Vec<String>>,
    /// Each waits for the next request with this method.
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address: format!("http://127.0.0.1:{port}"),
            shared,
            task,
        }
    }

    pub(crate) fn fail_next(&self, method: &'static str, fault: Fault) {
        let mut faults = lock(&self.shared.faults);
        faults.push_back((method, fault));
    }

    /// Whether everything that was to fail has failed.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.shared.faults).is_empty()
    }

    /// The heads of all requests so far, as they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        lock(&self.shared.heads).clone()
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        let heads = self.heads();
        heads.iter().filter(|head| head.starts_with(method)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn take_fault(&self, head: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let position = faults
            .iter()
            .position(|(method, _)| head.starts_with(method))?;
        faults.remove(position).map(|(_, fault)| fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // A client that goes away in the middle is part of the tests.
        tokio::spawn(async move { drop(serve(client, &shared).await) });
    }
}

async fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let head = read_head(&mut client).await?;
    lock(&shared.heads).push(head.clone());
    let mut body = vec![0; content_length(&head)];
    client.read_exact(&mut body).await?;

    let fault = shared.take_fault(&head);
    let mut answer_bytes = usize::MAX;
    match fault {
        Some(Fault::Refuse(status)) => {
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return client.write_all(answer.as_bytes()).await;
        }
        Some(Fault::LoseRequest) => return Ok(()),
        Some(Fault::LoseAnswer) => answer_bytes = 0,
        Some(Fault::CutAnswer(length)) => answer_bytes = length,
        Some(Fault::Damage) => {
            if let Some(last) = body.last_mut() {
                *last = !*last;
            }
        }
        None => {}
    }
    let answer = forward(&head, &body).await?;
    let sent = answer.len().min(answer_bytes);
    client.write_all(&answer[..sent]).await
}

/// The whole answer; the emulator closes the connection behind it.
async fn forward(head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let target = emulator();
    let target = target.strip_prefix("http://").unwrap_or(&target);
    let mut server = TcpStream::connect(target).await?;
    server.write_all(head.as_bytes()).await?;
    server.write_all(body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn read_head(client: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0)
}
