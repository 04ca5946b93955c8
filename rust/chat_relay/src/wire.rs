//! What an edge and its home say to each other.
//!
//! Encoded by postcard, which numbers what follows in the order it stands here: processes
//! of two versions that serve one database together must agree on it, so new things are
//! added at the end.

use chat_compat::{Body, Request, RequestHead, Response};
use chat_protocol::EncodedFrame;
use chat_socketio::{EngineError, EngineRequest, HttpAnswer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A message with its place: the epoch is the edge's in both directions, the number
/// counts what the sender has said in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    #[serde(borrow)]
    pub(crate) said: Said<'a>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said<'a> {
    #[serde(borrow)]
    ToHome(ToHome<'a>),
    #[serde(borrow)]
    ToEdge(ToEdge<'a>),
}

/// `connection` and `request` are numbers that the edge gives.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToHome<'a> {
    /// Nothing of an earlier epoch holds any more.
    Begin,
    Open {
        connection: u64,
        #[serde(borrow)]
        socket: Socket<'a>,
    },
    /// From the client of a connection.
    Frame {
        connection: u64,
        #[serde(borrow)]
        frame: Frame<'a>,
    },
    /// The client is gone.
    Closed { connection: u64 },
    Engine {
        request: u64,
        #[serde(borrow)]
        asked: EngineAsked<'a>,
        body: Blob<'a>,
    },
    /// The client of a request to the engine did not wait for its answer.
    Abandon {
        #[serde(borrow)]
        asked: EngineAsked<'a>,
    },
    Compat {
        request: u64,
        #[serde(borrow)]
        asked: CompatAsked<'a>,
    },
    /// So much of what is for clients has been taken.
    Taken { cost: u32 },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToEdge<'a> {
    /// Something of the epoch was lost, or this is not the home.
    Lost,
    Opened {
        connection: u64,
    },
    Refused {
        connection: u64,
        error: EngineError,
    },
    /// For the clients of the connections of each group these frames, by their index.
    Deliver {
        #[serde(borrow)]
        frames: Vec<Frame<'a>>,
        groups: Vec<Group>,
    },
    /// The home has ended it, with this code and reason.
    Ended {
        connection: u64,
        #[serde(borrow)]
        close: Option<(u16, &'a str)>,
    },
    /// So much of what the client has sent has been taken.
    Taken {
        connection: u64,
        cost: u32,
    },
    EngineAnswer {
        request: u64,
        #[serde(borrow)]
        answer: EngineAnswered<'a>,
    },
    CompatAnswer {
        request: u64,
        #[serde(borrow)]
        answer: CompatAnswered<'a>,
    },
}

/// What a client has asked to speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Socket<'a> {
    SocketIo(#[serde(borrow)] EngineAsked<'a>),
    WsHub { path: &'a str },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Frame<'a> {
    Text(&'a str),
    Binary(#[serde(borrow)] Blob<'a>),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) frames: Vec<u32>,
    pub(crate) connections: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineAsked<'a> {
    pub(crate) path: &'a str,
    /// Empty for a socket, which has none of its own.
    pub(crate) method: &'a str,
    pub(crate) query: &'a str,
    pub(crate) authorization: Option<&'a str>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EngineAnswered<'a> {
    status: u16,
    content_type: &'a str,
    #[serde(borrow)]
    body: Blob<'a>,
}

/// Without the headers that only images know.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CompatAsked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    authorization: Option<&'a str>,
    content_type: Option<&'a str>,
    #[serde(borrow)]
    body: Option<Blob<'a>>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CompatAnswered<'a> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a str)>,
    body: Blob<'a>,
}

/// Bytes that are copied as they are, and not one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob<'a>(pub(crate) &'a [u8]);

impl Serialize for Blob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

impl<'a> Envelope<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Plain data, and memory: there is nothing that can fail.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// # Errors
    /// If it is none of ours.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

impl<'a> Frame<'a> {
    pub(crate) fn of(frame: &'a EncodedFrame) -> Self {
        if frame.is_binary() {
            Self::Binary(Blob(frame.payload()))
        } else {
            Self::Text(frame.text_payload())
        }
    }

    pub(crate) fn encoded(&self) -> EncodedFrame {
        match self {
            Self::Text(text) => {
                EncodedFrame::text(|payload| payload.extend_from_slice(text.as_bytes()))
            }
            Self::Binary(payload) => EncodedFrame::binary(payload.0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(payload) => payload.0.len(),
        }
    }
}

impl<'a> EngineAsked<'a> {
    pub(crate) fn new(path: &'a str, method: &'a str, request: &'a EngineRequest) -> Self {
        Self {
            path,
            method,
            query: &request.query,
            authorization: request.authorization.as_deref(),
        }
    }

    pub(crate) fn request(&self) -> EngineRequest {
        EngineRequest {
            query: self.query.to_owned(),
            authorization: self.authorization.map(str::to_owned),
        }
    }
}

impl<'a> From<&'a HttpAnswer> for EngineAnswered<'a> {
    fn from(answer: &'a HttpAnswer) -> Self {
        Self {
            status: answer.status,
            content_type: &answer.content_type,
            body: Blob(&answer.body),
        }
    }
}

impl From<EngineAnswered<'_>> for HttpAnswer {
    fn from(answer: EngineAnswered<'_>) -> Self {
        Self {
            status: answer.status,
            content_type: answer.content_type.to_owned().into(),
            body: answer.body.0.to_vec(),
        }
    }
}

impl<'a> From<&'a Request> for CompatAsked<'a> {
    fn from(request: &'a Request) -> Self {
        let head = request.head();
        Self {
            method: &head.method,
            path: &head.path,
            query: &head.query,
            authorization: head.authorization.as_deref(),
            content_type: head.content_type.as_deref(),
            body: request.body().map(|body| Blob(body)),
        }
    }
}

impl From<CompatAsked<'_>> for Request {
    fn from(asked: CompatAsked<'_>) -> Self {
        let head = RequestHead {
            method: asked.method.to_owned(),
            path: asked.path.to_owned(),
            query: asked.query.to_owned(),
            authorization: asked.authorization.map(str::to_owned),
            content_type: asked.content_type.map(str::to_owned),
            ..RequestHead::default()
        };
        Self::new(head, asked.body.map(|body| body.0.to_vec()))
    }
}

impl<'a> From<&'a Response> for CompatAnswered<'a> {
    fn from(response: &'a Response) -> Self {
        let headers = response.headers.iter();
        Self {
            status: response.status,
            headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
            body: match &response.body {
                Body::Bytes(bytes) => Blob(bytes),
                // Of images, which every process sends by itself.
                Body::Content(_) => Blob(&[]),
            },
        }
    }
}

impl From<CompatAnswered<'_>> for Response {
    fn from(answer: CompatAnswered<'_>) -> Self {
        let headers = answer.headers.into_iter();
        Self {
            status: answer.status,
            headers: headers
                .map(|(name, value)| (name.to_owned().into(), value.to_owned()))
                .collect(),
            body: Body::Bytes(answer.body.0.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let asked = EngineAsked {
            path: "/socket.io",
            method: "POST",
            query: "EIO=4",
            authorization: Some("Bearer ñ"),
        };
        for said in [
            Said::ToHome(ToHome::Begin),
            Said::ToHome(ToHome::Open {
                connection: u64::MAX,
                socket: Socket::SocketIo(asked.clone()),
            }),
            Said::ToHome(ToHome::Engine {
                request: 7,
                asked,
                body: Blob(b"\0\xff"),
            }),
            Said::ToEdge(ToEdge::Deliver {
                frames: vec![Frame::Text("hola"), Frame::Binary(Blob(&[0xff]))],
                groups: vec![Group {
                    frames: vec![1, 0],
                    connections: vec![1, 300],
                }],
            }),
            Said::ToEdge(ToEdge::Ended {
                connection: 1,
                close: Some((1008, "Token is required")),
            }),
        ] {
            let envelope = Envelope {
                epoch: 3,
                number: 400,
                said,
            };
            assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
            let _ = Envelope::decode(&bytes);
        }

        /// Close to what is understood: two numbers, a direction, a kind, and the rest.
        #[test]
        fn anything_behind_a_head_is_decoded_or_refused(
            direction in 0u8..2,
            kind in 0u8..9,
            rest in prop::collection::vec(0u8..8, 0..40),
        ) {
            let mut bytes = vec![1, 1, direction, kind];
            bytes.extend(rest);
            if let Ok(envelope) = Envelope::decode(&bytes) {
                let again = envelope.encode();
                prop_assert_eq!(Envelope::decode(&again), Ok(envelope));
            }
        }

        #[test]
        fn frames_are_what_they_were(text: String, binary: Vec<u8>) {
            let frames = [
                EncodedFrame::text(|payload| payload.extend_from_slice(text.as_bytes())),
                EncodedFrame::binary(&binary),
            ];
            for frame in frames {
                let encoded = Frame::of(&frame).encoded();
                prop_assert_eq!(encoded.wire_bytes(), frame.wire_bytes());
            }
        }
    }
}
