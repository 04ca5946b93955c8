//! Sends every message back, for conformance suites: `echo_server [address]`.
//!
//! Says on its first line of output where it listens.

use std::io::{self, Write as _};

use chat_websocket::{
    DecodeError, Decoder, DecoderConfig, EncodedFrame, Event, accept_deflate, append_close_answer,
    append_pong, encode_close,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const MAX_MESSAGE_BYTES: usize = 64 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    let head_bytes = loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            read => filled += read,
        }
        let end = buffer[..filled].windows(4).position(|at| at == b"\r\n\r\n");
        if let Some(end) = end {
            break end + 4;
        }
    };
    let (answer, deflate) = shake_hands(&buffer[..head_bytes]);
    stream.write_all(answer.as_bytes()).await?;
    let mut decoder = Decoder::new(DecoderConfig {
        max_message_bytes: MAX_MESSAGE_BYTES,
        deflate,
    });
    let mut start = head_bytes;
    loop {
        let mut events = Vec::new();
        let decoded = decoder.decode(&mut buffer[start..filled], &mut events);
        let (mut answers, mut ended) = (Vec::new(), false);
        for event in events {
            match event {
                Event::Text(text) => append_message(&mut answers, 1, text.as_bytes(), deflate),
                Event::Binary(bytes) => append_message(&mut answers, 2, &bytes, deflate),
                Event::Ping(payload) => append_pong(&mut answers, &payload),
                Event::Pong(_) => {}
                Event::Close(close) => {
                    append_close_answer(&mut answers, close.as_ref());
                    ended = true;
                }
            }
        }
        if let Err(error) = decoded {
            let code = match error {
                DecodeError::Protocol(_) => 1002,
                DecodeError::InvalidUtf8 => 1007,
                DecodeError::MessageTooBig => 1009,
            };
            answers.extend_from_slice(&encode_close(code, &error.to_string()));
            ended = true;
        }
        stream.write_all(&answers).await?;
        if ended {
            stream.shutdown().await?;
            // Unread bytes would turn the end into a reset.
            while stream.read(&mut buffer).await? > 0 {}
            return Ok(());
        }
        start = 0;
        filled = stream.read(&mut buffer).await?;
        if filled == 0 {
            return Ok(());
        }
    }
}

/// The answer to an upgrade request, and whether messages may be compressed.
fn shake_hands(head: &[u8]) -> (String, bool) {
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let key = header("sec-websocket-key").unwrap_or_default();
    let offers = header("sec-websocket-extensions").unwrap_or_default();
    let extension = accept_deflate([offers.as_bytes()]);
    let extensions = extension
        .map(|answer| format!("Sec-WebSocket-Extensions: {answer}\r\n"))
        .unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{extensions}\r\n",
        derive_accept_key(key.as_bytes())
    );
    (answer, extension.is_some())
}

/// A server encodes texts only; for an echo the opcode is put right.
fn append_message(frames: &mut Vec<u8>, opcode: u8, payload: &[u8], deflate: bool) {
    let frame = EncodedFrame::text(|buffer| buffer.extend_from_slice(payload));
    let bytes = if deflate {
        frame.deflated_wire_bytes()
    } else {
        frame.wire_bytes()
    };
    frames.push((bytes[0] & 0xF0) | opcode);
    frames.extend_from_slice(&bytes[1..]);
}
