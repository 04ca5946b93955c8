//! One GET over and over on a few kept connections, each with one request under way.
//!
//! Every answer must be 200 and, byte for byte, the first one.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::config::RequestPlan;
use crate::error::BenchError;
use crate::histogram::Histogram;
use crate::server_process::ServerProcess;

const MAX_HEADERS: usize = 32;

#[derive(Debug, Serialize)]
struct RequestReport {
    requests: u64,
    seconds: f64,
    server_cpu_seconds: f64,
    body_bytes: usize,
    p50_ms: f64,
    p99_ms: f64,
}

pub(crate) async fn run(plan: &RequestPlan) -> Result<(), BenchError> {
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\r\n",
        plan.path, plan.address, plan.authorization
    );
    let mut connections = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        connections.push(Connection::open(&plan.address).await?);
    }
    let body = connections
        .first_mut()
        .ok_or(BenchError::Plan("requests need a connection"))?
        .get(&request)
        .await?
        .to_vec();
    let load = Rc::new(Load { request, body });
    let (connections, _) = load.run(connections, plan.warm_up).await?;

    let process = ServerProcess::new(plan.server_pid);
    let cpu_before = process.cpu_time()?;
    let started = Instant::now();
    let (_, latencies) = load.run(connections, plan.phase_length).await?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = process.cpu_time()?.saturating_sub(cpu_before);
    crate::report(&RequestReport {
        requests: latencies.total(),
        seconds,
        server_cpu_seconds: cpu.as_secs_f64(),
        body_bytes: load.body.len(),
        p50_ms: latencies.percentile_ms(0.5),
        p99_ms: latencies.percentile_ms(0.99),
    })
}

#[derive(Debug)]
struct Load {
    request: String,
    body: Vec<u8>,
}

impl Load {
    /// Keeps all connections busy for the time given.
    async fn run(
        self: &Rc<Self>,
        connections: Vec<Connection>,
        length: Duration,
    ) -> Result<(Vec<Connection>, Histogram), BenchError> {
        let latencies = Rc::new(RefCell::new(Histogram::default()));
        let deadline = Instant::now() + length;
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|connection| {
                let repeat = Rc::clone(self).repeat(connection, deadline, Rc::clone(&latencies));
                tokio::task::spawn_local(repeat)
            })
            .collect();
        let mut connections = Vec::with_capacity(tasks.len());
        for task in tasks {
            connections.push(task.await??);
        }
        let latencies = latencies.take();
        Ok((connections, latencies))
    }

    async fn repeat(
        self: Rc<Self>,
        mut connection: Connection,
        deadline: Instant,
        latencies: Rc<RefCell<Histogram>>,
    ) -> Result<Connection, BenchError> {
        while Instant::now() < deadline {
            let sent = Instant::now();
            if connection.get(&self.request).await? != self.body {
                return Err(BenchError::Answer("a body unlike the first one".to_owned()));
            }
            latencies.borrow_mut().record(sent.elapsed());
        }
        Ok(connection)
    }
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The whole answer to the last request.
    buffer: Vec<u8>,
}

/// What the head of an answer says about its body.
#[derive(Debug)]
struct Head {
    bytes: usize,
    body_bytes: usize,
}

impl Connection {
    async fn open(address: &str) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends a request and returns the body of its answer.
    async fn get(&mut self, request: &str) -> Result<&[u8], BenchError> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = parse_head(&self.buffer)?;
            }
            if let Some(Head { bytes, body_bytes }) = head
                && self.buffer.len() >= bytes + body_bytes
            {
                return Ok(&self.buffer[bytes..bytes + body_bytes]);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(BenchError::Answer("the connection was closed".to_owned()));
            }
        }
    }
}

/// None as long as the head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, BenchError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(bytes)? else {
        return Ok(None);
    };
    if response.code != Some(200) {
        let text = String::from_utf8_lossy(bytes).into_owned();
        return Err(BenchError::Answer(text));
    }
    let body_bytes = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| BenchError::Answer("no content-length".to_owned()))?;
    Ok(Some(Head {
        bytes: head_bytes,
        body_bytes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
        assert!(parse_head(&answer[..20]).expect("no error").is_none());
        let head = parse_head(answer).expect("no error").expect("complete");
        assert_eq!((head.bytes, head.body_bytes), (answer.len() - 2, 2));
    }

    #[test]
    fn other_statuses_and_unknown_lengths_are_errors() {
        assert!(parse_head(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
