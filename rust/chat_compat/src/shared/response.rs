//! An answer: status, headers, body.

use std::borrow::Cow;

use serde::Serialize;

use super::Content;

/// What goes back to the client; the server in front adds length and date.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    Bytes(Vec<u8>),
    Content(Content),
}

impl Response {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            // Plain data with string keys, and memory: there is nothing that can fail.
            body: Body::Bytes(serde_json::to_vec(body).unwrap_or_default()),
            ..Self::empty(status).with_header("content-type", "application/json; charset=utf-8")
        }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self {
            body: Body::Bytes(body.as_bytes().to_vec()),
            ..Self::empty(status).with_header("content-type", "text/html; charset=utf-8")
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
        }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
