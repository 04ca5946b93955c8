//! The few messages of the PostgreSQL protocol that a fake server needs.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The message that asks for TLS.
pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Serves every connection with `serve`, on the port it returns.
pub(crate) async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client));
        }
    });
    port
}

/// Reads what a client sends first, and declines TLS.
pub(crate) async fn read_startup(client: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).await?;
        let mut rest = vec![0; u32::from_be_bytes(length) as usize - 4];
        client.read_exact(&mut rest).await?;
        if rest != SSL_REQUEST[4..] {
            return Ok(());
        }
        client.write_all(b"N").await?;
    }
}

/// A pooler: lets everybody in, and asks `session` which server session is
/// to answer the next query.
pub(crate) async fn serve_as_pooler(
    mut client: TcpStream,
    session: Arc<dyn Fn() -> u32 + Send + Sync>,
) -> io::Result<()> {
    read_startup(&mut client).await?;
    client
        .write_all(&message(b'R', &0_u32.to_be_bytes()))
        .await?;
    client.write_all(&message(b'Z', b"I")).await?;
    // Anything but a simple query would need a real server: hang up.
    while client.read_u8().await? == b'Q' {
        let length = client.read_u32().await?;
        let mut query = vec![0; length as usize - 4];
        client.read_exact(&mut query).await?;
        client.write_all(&one_number(session())).await?;
    }
    Ok(())
}

pub(crate) fn error_response(code: &str, text: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0");
    message(b'E', fields.as_bytes())
}

fn one_number(number: u32) -> Vec<u8> {
    let mut column = b"\0\x01n\0".to_vec();
    // No table, type int4 in text form.
    column.extend_from_slice(&[
        0, 0, 0, 0, 0, 0, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0,
    ]);
    let text = number.to_string();
    let mut row = vec![0, 1, 0, 0, 0, u8::try_from(text.len()).expect("short")];
    row.extend_from_slice(text.as_bytes());
    [
        message(b'T', &column),
        message(b'D', &row),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    let mut message = vec![tag];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(body);
    message
}
