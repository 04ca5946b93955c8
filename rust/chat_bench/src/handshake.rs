//! The upgrade of a connection (RFC 6455, section 4.1).

use crate::error::BenchError;

/// The key and its answer that the RFC itself gives as the example: a server
/// that gets them right knows the rule, and the client needs no SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MAX_HEADERS: usize = 32;

/// The request for a path with its query.
pub(crate) fn request(address: &str, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// How many bytes the answer has, or none if it is not complete.
///
/// # Errors
///
/// [`BenchError::Answer`] if the server refuses.
pub(crate) fn parse_answer(bytes: &[u8]) -> Result<Option<usize>, BenchError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes)? else {
        return Ok(None);
    };
    let accepted = response.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("sec-websocket-accept") && header.value == ACCEPT
    });
    if response.code != Some(101) || !accepted {
        let text = String::from_utf8_lossy(bytes).into_owned();
        return Err(BenchError::Answer(text));
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_answer_opens_a_socket() {
        let right = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(
            parse_answer(right.as_bytes()).expect("right"),
            Some(right.len())
        );
        assert_eq!(parse_answer(&right.as_bytes()[..40]).expect("so far"), None);
        let wrong = right.replace("s3p", "s4p");
        let refused = "HTTP/1.1 403 Forbidden\r\n\r\n".to_owned();
        for answer in [wrong, refused] {
            assert!(parse_answer(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
