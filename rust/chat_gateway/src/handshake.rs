//! Reads the upgrade request (RFC 6455, section 4.2.1) and writes its answer.
//!
//! The head was already parsed by the server in front; it is parsed again here
//! because only its bytes cross the border, and nothing in it is trusted.

use std::borrow::Cow;

use chat_protocol::ids::{Change, RoomId, Seq};
use chat_protocol::{EventKinds, Position, parse_integer_text};
use chat_websocket::accept_deflate;
use percent_encoding::percent_decode_str;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::backend::Refusal;

const MAX_HEADERS: usize = 128;
/// The subprotocol whose offer is followed by the token, where the query has none.
const BEARER: &str = "bearer";

/// The answer to an upgrade that is refused.
pub const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// The answer to an upgrade that may be granted a little later.
pub const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What a client asks for at the handshake, beside the room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) token: String,
    /// Where a client that comes back wants to go on.
    pub(crate) since: Option<Position>,
    pub(crate) events: EventKinds,
}

impl Wish {
    /// Reads the query, and the subprotocols that the client offers.
    ///
    /// # Errors
    /// Denied if the token is missing, or the place is none.
    pub(crate) fn parse(query: &str, protocols: &[String]) -> Result<Self, Refusal> {
        let token = last_query_value(query, "token").filter(|token| !token.is_empty());
        let token = token.or_else(|| match protocols {
            [scheme, token] if scheme == BEARER => Some(token.clone()),
            _ => None,
        });
        let seq = last_query_value(query, "since_seq");
        let change = last_query_value(query, "since_change");
        let events = last_query_value(query, "events");
        Ok(Self {
            token: token.ok_or(Refusal::Denied)?,
            since: parse_since(seq.as_deref(), change.as_deref())?,
            events: events
                .map(|list| EventKinds::from_list(&list))
                .unwrap_or_default(),
        })
    }
}

/// A request to speak WebSocket, on whatever path.
#[derive(Debug, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// Below the root path, percent-decoded.
    pub path: String,
    /// As the client sent it.
    pub query: String,
    pub authorization: Option<String>,
    /// The subprotocols that the client offers, in its order.
    protocols: Vec<String>,
    /// `Sec-WebSocket-Accept` of the answer.
    accept_key: String,
    /// `Sec-WebSocket-Extensions` of the answer, should messages be compressed.
    pub(crate) deflate_answer: Option<&'static str>,
    /// What the client sent behind the request.
    pub leftover: Vec<u8>,
}

impl UpgradeRequest {
    /// Parses a complete request head. None for anything that is not an upgrade.
    pub fn parse(head: &[u8], root_path: &str) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = request.parse(head).ok()? else {
            return None;
        };
        if request.method != Some("GET") || request.version != Some(1) {
            return None;
        }
        let (path, query) = request.path?.split_once('?').unwrap_or((request.path?, ""));
        let path = percent_decode_str(path).decode_utf8().ok()?;
        // Whole segments are compared: below /co, /compat is a path of its own.
        let path = path
            .strip_prefix(root_path.trim_end_matches('/'))
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .unwrap_or(&path);
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value)
        };
        if header("sec-websocket-version")? != b"13" {
            return None;
        }
        let accept_key = derive_accept_key(header("sec-websocket-key")?.trim_ascii());
        let authorization = header("authorization")
            .and_then(|value| std::str::from_utf8(value).ok())
            .map(str::to_owned);
        let protocols = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("sec-websocket-protocol"))
            .filter_map(|header| std::str::from_utf8(header.value).ok())
            .flat_map(|list| list.split(','))
            .map(|protocol| protocol.trim_ascii().to_owned())
            .filter(|protocol| is_token(protocol))
            .collect();
        let extensions = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("sec-websocket-extensions"))
            .map(|header| header.value);
        Some(Self {
            path: path.to_owned(),
            query: query.to_owned(),
            authorization,
            protocols,
            accept_key,
            deflate_answer: accept_deflate(extensions),
            leftover: head[head_bytes..].to_vec(),
        })
    }

    /// The answer that opens the socket.
    pub fn switching_protocols(&self, extensions: Option<&str>) -> String {
        let extensions = extensions
            .map(|extensions| format!("sec-websocket-extensions: {extensions}\r\n"))
            .unwrap_or_default();
        // Clients that offer some end the connection if none is chosen.
        let protocol = self
            .protocols
            .first()
            .map(|protocol| format!("sec-websocket-protocol: {protocol}\r\n"))
            .unwrap_or_default();
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\n{protocol}{extensions}\r\n",
            self.accept_key
        )
    }

    /// The room, and what is wanted there.
    ///
    /// # Errors
    /// Denied if anything is missing or malformed.
    pub(crate) fn wish(&self) -> Result<(RoomId, Wish), Refusal> {
        let room = parse_room(&self.path).ok_or(Refusal::Denied)?;
        Ok((room, Wish::parse(&self.query, &self.protocols)?))
    }
}

/// RFC 9110, section 5.6.2; what else a client offers is no subprotocol.
fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Where a client that comes back wants to go on, from the query; an error if that is
/// no place, or one among the changes only.
fn parse_since(seq: Option<&str>, change: Option<&str>) -> Result<Option<Position>, Refusal> {
    let place = |text: &str| parse_integer_text(text).ok_or(Refusal::Denied);
    let change = match change {
        Some(text) => Some(Change::from_client(place(text)?).ok_or(Refusal::Denied)?),
        None => None,
    };
    match seq {
        Some(text) => {
            let seq = Seq::from_client(place(text)?).ok_or(Refusal::Denied)?;
            Ok(Some(Position { seq, change }))
        }
        None if change.is_some() => Err(Refusal::Denied),
        None => Ok(None),
    }
}

/// The room a path segment names, in the forms of contract section 2.4.
pub(crate) fn parse_room_segment(segment: &str) -> Option<RoomId> {
    RoomId::from_client(parse_integer_text(segment)?)
}

/// `/api/ws/{room_id}` or `/ws/{room_id}`, a slash at the end allowed.
fn parse_room(path: &str) -> Option<RoomId> {
    let segment = path
        .strip_prefix("/api/ws/")
        .or_else(|| path.strip_prefix("/ws/"))?;
    parse_room_segment(segment.strip_suffix('/').unwrap_or(segment))
}

/// The last value of a query parameter (contract section 2.1).
pub fn last_query_value(query: &str, name: &str) -> Option<String> {
    query.split('&').rev().find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let text: Cow<'_, str> = if text.contains('+') {
                text.replace('+', " ").into()
            } else {
                text.into()
            };
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        (decode(key) == name).then(|| decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(since: Option<(i64, Option<i64>)>) -> Wish {
        Wish {
            token: "abc".into(),
            since: since.map(|(seq, change)| Position {
                seq: Seq(seq),
                change: change.map(Change),
            }),
            events: EventKinds::default(),
        }
    }

    fn parse(path: &str) -> Option<(RoomId, Wish)> {
        request(path)?.wish().ok()
    }

    fn request(path: &str) -> Option<UpgradeRequest> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nrest"
        );
        UpgradeRequest::parse(head.as_bytes(), "/root/")
    }

    #[test]
    fn rooms_and_tokens_are_found() {
        for path in [
            "/api/ws/7?token=abc",
            "/ws/7/?token=abc",
            "/api/ws/%2B7.0?x=1&token=z&token=abc",
            "/root/ws/7?token=abc",
        ] {
            let request = request(path).expect(path);
            let found = request.wish();
            assert_eq!(found, Ok((RoomId(7), wish(None))), "{path}");
            assert_eq!(request.leftover, b"rest");
            // The example of RFC 6455, section 1.3.
            assert_eq!(request.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        }
    }

    #[test]
    fn a_client_that_comes_back_says_where() {
        for (query, expected) in [
            ("since_seq=0", Some((0, None))),
            ("since_seq=1&since_seq=17", Some((17, None))),
            ("since_change=5&since_seq=3", Some((3, Some(5)))),
            ("since_change=5", None),
            ("since_seq=3&since_change=-1", None),
            ("since_seq=3&since_change=", None),
            ("since_seq=-1", None),
            ("since_seq=", None),
            ("since_seq=x", None),
        ] {
            let found = parse(&format!("/ws/7?token=abc&{query}"));
            let expected = expected.map(|place| (RoomId(7), wish(Some(place))));
            assert_eq!(found, expected, "{query}");
        }
    }

    #[test]
    fn a_client_says_what_events_it_wants() {
        for (query, expected) in [
            ("events=changes,read", "changes,read"),
            ("events=changes%2Ctyping", "changes,typing"),
            ("events=x,read,", "read"),
            ("events=read&events=", ""),
        ] {
            let (_, found) = parse(&format!("/ws/7?token=abc&{query}")).expect(query);
            assert_eq!(found.events, EventKinds::from_list(expected), "{query}");
        }
    }

    #[test]
    fn offers_of_compression_are_found_in_every_header() {
        let head = "GET /ws/7?token=a HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: foo\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n";
        let request = UpgradeRequest::parse(head.as_bytes(), "").expect("an upgrade");
        let answer = request.deflate_answer.expect("an offer");
        assert!(answer.starts_with("permessage-deflate; "));
        assert!(
            request
                .switching_protocols(Some(answer))
                .ends_with(&format!("\r\nsec-websocket-extensions: {answer}\r\n\r\n"))
        );
        assert!(!request.switching_protocols(None).contains("extensions"));
    }

    fn offering(query: &str, offers: &[&str]) -> UpgradeRequest {
        let offers: String = offers
            .iter()
            .map(|offer| format!("Sec-WebSocket-Protocol: {offer}\r\n"))
            .collect();
        let head = format!(
            "GET /ws/7{query} HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offers}\r\n"
        );
        UpgradeRequest::parse(head.as_bytes(), "").expect("an upgrade")
    }

    #[test]
    fn one_of_the_offered_subprotocols_is_echoed() {
        for (offers, expected) in [
            (&["chat"][..], Some("chat")),
            (&["chat, superchat"], Some("chat")),
            (&[" , v1.chat", "v2.chat"], Some("v1.chat")),
            (&["bearer, eyJ.x-y_z"], Some("bearer")),
            (&["a b, c"], Some("c")),
            (&["\"a\""], None),
            (&[""], None),
            (&[], None),
        ] {
            let answer = offering("?token=a", offers).switching_protocols(None);
            let echoed = answer
                .lines()
                .find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
            assert_eq!(echoed, expected, "{offers:?}");
        }
    }

    #[test]
    fn a_token_may_be_among_the_subprotocols() {
        for (query, offers, expected) in [
            ("", &["bearer, abc"][..], Some("abc")),
            ("?token=", &["bearer", "abc"], Some("abc")),
            ("?token=xyz", &["bearer, abc"], Some("xyz")),
            ("?x=1", &["abc, bearer"], None),
            ("", &["bearer"], None),
            ("", &["chat, abc"], None),
            ("", &["bearer, abc, def"], None),
        ] {
            let wish = offering(query, offers).wish();
            let token = wish.ok().map(|(_, wish)| wish.token);
            assert_eq!(token.as_deref(), expected, "{query} {offers:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for path in [
            "/api/ws/7",
            "/api/ws/7?token=",
            "/api/ws/0?token=a",
            "/api/ws/-7?token=a",
            "/api/ws/x?token=a",
            "/api/ws/99999999999999999999?token=a",
            "/api/ws/?token=a",
            "/api/ws/7/8?token=a",
            "/other/7?token=a",
            "/api/ws/%ff?token=a",
            "/api/ws/1e3?token=a",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
        assert_eq!(UpgradeRequest::parse(b"GET / HTTP/1.1\r\n", ""), None);
        assert_eq!(UpgradeRequest::parse(b"\0\xff", ""), None);
    }
}
