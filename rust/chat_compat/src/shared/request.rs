//! A request as faces read it.
//!
//! U+0000 becomes the replacement character wherever a face can see a text: the
//! databases would not agree on it.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Conditions;

/// The largest body of requests in JSON: nothing that is sent here comes near it.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;

/// What comes before the body.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    pub method: String,
    /// Decoded, below the root path.
    pub path: String,
    /// As it was sent, without the question mark.
    pub query: String,
    /// As it was sent.
    pub authorization: Option<String>,
    /// As it was sent.
    pub content_type: Option<String>,
    pub conditions: Conditions,
}

/// A complete request.
#[derive(Clone, Debug)]
pub struct Request {
    head: RequestHead,
    body: Option<Bytes>,
}

/// Why there are no fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    NotJson,
}

/// The members of a JSON object; of anything else that is JSON there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Request {
    /// Without a body it was larger than anything a face takes.
    pub fn new(mut head: RequestHead, body: Option<Vec<u8>>) -> Self {
        if head.path.contains('\0') {
            head.path = head.path.replace('\0', "\u{fffd}");
        }
        Self {
            head,
            body: body.map(Bytes::from),
        }
    }

    /// What comes before the body.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.head.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.replace('\0', "\u{fffd}"))
    }

    /// The body as it came; none if it was too large.
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The fields of the body; an empty body has none.
    pub(crate) fn fields(&self) -> Result<Fields, BodyError> {
        let body = self.body().ok_or(BodyError::TooLarge)?;
        if body.trim_ascii().is_empty() {
            return Ok(Fields::default());
        }
        match serde_json::from_slice(body) {
            Ok(value) => Ok(Fields::of(value)),
            Err(_) => Err(BodyError::NotJson),
        }
    }
}

impl Fields {
    /// The members of an object; of any other value there are none.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Object(mut fields) => {
                fields.values_mut().for_each(replace_nul);
                Self(fields)
            }
            _ => Self::default(),
        }
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// The value of a field; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The value of a field that holds a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains('\0') {
                *text = Cow::from(&*text).replace('\0', "\u{fffd}");
            }
        }
        Value::Array(values) => values.iter_mut().for_each(replace_nul),
        Value::Object(fields) => fields.values_mut().for_each(replace_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::testing::any_json;

    fn request(body: &[u8]) -> Request {
        Request::new(RequestHead::default(), Some(body.to_vec()))
    }

    #[test]
    fn whatever_is_json_has_fields_or_none() {
        for nothing in ["", "  ", "{}", "[1]", "null", "\"a\"", "7"] {
            let fields = request(nothing.as_bytes()).fields().expect(nothing);
            assert!(fields.0.is_empty(), "{nothing}");
        }
        let fields = request(br#"{"a":"x\u0000","b":["\u0000"],"c":null}"#)
            .fields()
            .expect("fields");
        assert_eq!(fields.text("a"), Some("x\u{fffd}"));
        assert_eq!(
            fields.get("b").map(Value::to_string).as_deref(),
            Some("[\"\u{fffd}\"]")
        );
        assert_eq!(fields.get("c"), None);
    }

    #[test]
    fn everything_else_is_an_error() {
        let deep = "[".repeat(100_000);
        for bad in ["{", "{'a':1}", "\u{feff}{}", "{\"a\":\"\\ud800\"}", &deep] {
            let error = request(bad.as_bytes()).fields().expect_err("no JSON");
            assert_eq!(error, BodyError::NotJson);
        }
        assert!(request(b"\"\xff\"").fields().is_err());
        let error = Request::new(RequestHead::default(), None).fields();
        assert_eq!(error.expect_err("no body"), BodyError::TooLarge);
    }

    fn has_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(values) => values.iter().any(has_nul),
            Value::Object(fields) => fields.values().any(has_nul),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    proptest! {
        #[test]
        fn any_body_has_fields_or_is_refused(body: Vec<u8>) {
            let _ = request(&body).fields();
        }

        #[test]
        fn no_text_has_a_nul(value in any_json()) {
            let fields = Fields::of(value.clone());
            for name in value.as_object().into_iter().flat_map(Map::keys) {
                prop_assert!(!fields.get(name).is_some_and(has_nul));
                prop_assert_eq!(fields.get(name).is_none(), value[name].is_null());
            }
        }

        #[test]
        fn any_query_is_read(query in "[a-c=&%0+]{0,20}", name in "[a-c]?") {
            let head = RequestHead { query, ..RequestHead::default() };
            let value = Request::new(head, None).query(&name).unwrap_or_default();
            prop_assert!(!value.contains('\0'));
        }
    }
}
