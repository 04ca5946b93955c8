//! One request over and over on a few kept connections, each with one under way.
//!
//! A thread per connection: there are few, and blocking costs the least.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::BenchError;
use crate::plan::RequestPlan;
use crate::server_process::ServerProcess;

const MAX_HEADERS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct RequestReport {
    requests: u64,
    seconds: f64,
    server_cpu_seconds: f64,
    body_bytes: usize,
    p50_ms: f64,
    p99_ms: f64,
}

pub(crate) fn run(plan: &RequestPlan) -> Result<(), BenchError> {
    let mut connections = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        connections.push(Connection::open(&plan.server.address)?);
    }
    let request = request(plan);
    let first = connections
        .first_mut()
        .ok_or(BenchError::Plan("requests need a connection"))?
        .send(&request, plan.status)?
        .to_vec();
    let load = Load {
        request,
        status: plan.status,
        same: plan.same_answers.then_some(&first),
    };
    load.run(&mut connections, plan.warm_up_seconds)?;

    let process = ServerProcess::new(plan.server.pid);
    let cpu_before = process.cpu_time()?;
    let started = Instant::now();
    let latencies = load.run(&mut connections, plan.seconds)?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = process.cpu_time()?.saturating_sub(cpu_before);
    let millis = |share| latencies.value_at_quantile(share) as f64 / 1000.0;
    crate::report(&RequestReport {
        requests: latencies.len(),
        seconds,
        server_cpu_seconds: cpu.as_secs_f64(),
        body_bytes: first.len(),
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
    })
}

fn request(plan: &RequestPlan) -> String {
    let RequestPlan {
        method,
        path,
        authorization,
        body,
        ..
    } = plan;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {authorization}\r\n",
        plan.server.address
    );
    if !body.is_empty() {
        let length = body.len();
        request += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    }
    request + "\r\n" + body
}

#[derive(Debug)]
struct Load<'a> {
    request: String,
    status: u16,
    /// The answer that all must equal, if they must.
    same: Option<&'a Vec<u8>>,
}

impl Load<'_> {
    /// Keeps all connections busy for the time given.
    fn run(
        &self,
        connections: &mut [Connection],
        length: Duration,
    ) -> Result<Histogram<u64>, BenchError> {
        let deadline = Instant::now() + length;
        let mut all = new_histogram()?;
        std::thread::scope(|scope| {
            let threads: Vec<_> = connections
                .iter_mut()
                .map(|connection| scope.spawn(move || self.repeat(connection, deadline)))
                .collect();
            for thread in threads {
                let latencies = thread
                    .join()
                    .map_err(|_| BenchError::Plan("a thread of the client panicked"))??;
                all.add(latencies)
                    .map_err(|_| BenchError::Plan("the histograms differ"))?;
            }
            Ok(all)
        })
    }

    fn repeat(
        &self,
        connection: &mut Connection,
        deadline: Instant,
    ) -> Result<Histogram<u64>, BenchError> {
        let mut latencies = new_histogram()?;
        while Instant::now() < deadline {
            let sent = Instant::now();
            let body = connection.send(&self.request, self.status)?;
            if self.same.is_some_and(|same| same != body) {
                return Err(BenchError::Answer("a body unlike the first one".to_owned()));
            }
            latencies.saturating_record(sent.elapsed().as_micros() as u64);
        }
        Ok(latencies)
    }
}

fn new_histogram() -> Result<Histogram<u64>, BenchError> {
    let most = PATIENCE.as_micros() as u64;
    Histogram::new_with_bounds(1, most, 3)
        .map_err(|_| BenchError::Plan("the histogram cannot be made"))
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The last answer, and space for the next one.
    buffer: Vec<u8>,
}

/// What the head of an answer says about its body.
#[derive(Debug)]
struct Head {
    bytes: usize,
    body_bytes: usize,
}

impl Connection {
    fn open(address: &str) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            buffer: vec![0; 512 * 1024],
        })
    }

    /// Sends a request and returns the body of its answer.
    fn send(&mut self, request: &str, status: u16) -> Result<&[u8], BenchError> {
        self.stream.write_all(request.as_bytes())?;
        let mut read = 0;
        let mut head = None;
        loop {
            if head.is_none() {
                head = parse_head(&self.buffer[..read], status)?;
            }
            if let Some(Head { bytes, body_bytes }) = head
                && read >= bytes + body_bytes
            {
                return Ok(&self.buffer[bytes..bytes + body_bytes]);
            }
            let bytes = self.stream.read(&mut self.buffer[read..])?;
            if bytes == 0 {
                let reason = "the connection was closed, or the answer is too long";
                return Err(BenchError::Answer(reason.to_owned()));
            }
            read += bytes;
        }
    }
}

/// None as long as the head is not complete.
fn parse_head(bytes: &[u8], status: u16) -> Result<Option<Head>, BenchError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = response.parse(bytes)? else {
        return Ok(None);
    };
    if response.code != Some(status) {
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
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n[]";
        assert!(parse_head(&answer[..20], 201).expect("no error").is_none());
        let head = parse_head(answer, 201)
            .expect("no error")
            .expect("complete");
        assert_eq!((head.bytes, head.body_bytes), (answer.len() - 2, 2));
    }

    #[test]
    fn other_statuses_and_unknown_lengths_are_errors() {
        let other = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        assert!(parse_head(other, 200).is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n", 200).is_err());
    }
}
