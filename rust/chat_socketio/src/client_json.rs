//! Reads the JSON of clients as leniently as the reference does.
//!
//! What is in a payload is between clients. JSON that JavaScript reads and `serde_json`
//! does not must not end the connection of its sender.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::engine::conversation::Undecodable;

/// Reads an array. An element that is nested too deep counts as null.
///
/// # Errors
/// If the text is no JSON array.
pub(crate) fn read_array(text: &str) -> Result<Vec<Value>, Undecodable> {
    read(text, |elements: Vec<&RawValue>| {
        elements.into_iter().map(read_element).collect()
    })
}

/// Reads an object. A member that is nested too deep counts as null.
///
/// # Errors
/// If the text is no JSON object.
pub(crate) fn read_object(text: &str) -> Result<Map<String, Value>, Undecodable> {
    read(text, |members: HashMap<String, &RawValue>| {
        members
            .into_iter()
            .map(|(name, member)| (name, read_element(member)))
            .collect()
    })
}

fn read<'a, T, Raw>(text: &'a str, convert: impl FnOnce(Raw) -> T) -> Result<T, Undecodable>
where
    T: serde::de::DeserializeOwned,
    Raw: Deserialize<'a>,
{
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    // Raw values have no limit on their depth and no range of numbers.
    let raw = serde_json::from_str(text).map_err(|_| Undecodable)?;
    Ok(convert(raw))
}

fn read_element(element: &RawValue) -> Value {
    let text = replace_huge_numbers(element.get());
    serde_json::from_str(&text).unwrap_or_default()
}

/// The text with null for each number that is too large for JavaScript, which reads it
/// as `Infinity` and writes that as null.
fn replace_huge_numbers(text: &str) -> Cow<'_, str> {
    let mut changed = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        let rest = &text.as_bytes()[at..];
        at += match byte {
            b'"' => string_bytes(rest),
            b'-' | b'0'..=b'9' => {
                let bytes = number_bytes(rest);
                let number = &text[at..at + bytes];
                if number.parse().is_ok_and(f64::is_infinite) {
                    changed.push_str(&text[copied..at]);
                    changed.push_str("null");
                    copied = at + bytes;
                }
                bytes
            }
            _ => 1,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    changed.push_str(&text[copied..]);
    Cow::Owned(changed)
}

/// The length of the string at the start, with its quotes.
fn string_bytes(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().skip(1).position(|&byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The length of the number at the start.
fn number_bytes(text: &[u8]) -> usize {
    text.iter()
        .position(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn huge_numbers_are_null() {
        for (text, expected) in [
            (r#"["x",1e400]"#, json!(["x", null])),
            (r#"[-1E+999, 2]"#, json!([null, 2])),
            (
                r#"[{"a":[1e309,"1e400"],"b\"1e400":1e308}]"#,
                json!([{"a": [null, "1e400"], "b\"1e400": 1e308}]),
            ),
            ("[1e-400,0e999]", json!([0.0, 0.0])),
            (
                "[123456789012345678901234567890]",
                json!([123_456_789_012_345_680_000_000_000_000.0_f64]),
            ),
            (&format!("[{},1]", "9".repeat(400)), json!([null, 1])),
        ] {
            let expected = expected.as_array().cloned();
            assert_eq!(read_array(text).ok(), expected, "{text}");
        }
        let auth = read_object(r#"{"token":"a","token":"b","n":1e400}"#);
        assert_eq!(auth.map(Value::from), Ok(json!({"token": "b", "n": null})));
    }

    #[test]
    fn what_is_nested_too_deep_is_null() {
        let deep = nested(100_000);
        assert_eq!(
            read_array(&format!(r#"["x",{deep},{{"a":{deep}}},7]"#)),
            Ok(vec![json!("x"), Value::Null, Value::Null, json!(7)])
        );
        let auth = read_object(&format!(r#"{{"a":{deep},"b":1}}"#));
        assert_eq!(auth.map(Value::from), Ok(json!({"a": null, "b": 1})));
        let level = nested(100);
        let read = read_array(&level).map(Value::from);
        assert_eq!(read.map(|value| value.to_string()), Ok(level));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "[",
            "[1e]",
            "[1e400",
            "[--1e400]",
            "[01]",
            "{}",
            "[1]x",
            "[\"\\x\"]",
        ] {
            assert_eq!(read_array(text), Err(Undecodable), "{text}");
        }
        for text in ["", "[]", "{", "{\"a\":}", "{1e400:1}", "null"] {
            assert_eq!(read_object(text), Err(Undecodable), "{text}");
        }
    }

    proptest! {
        #[test]
        fn only_numbers_are_replaced(text in "[\\\\\"ñ019eE+.,-]{0,40}") {
            let replaced = replace_huge_numbers(&text);
            prop_assert!(replaced == text || replaced.contains("null"));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\\\\\":,019eE+.-]{0,40}") {
            let _ = (read_array(&text), read_object(&text));
        }
    }
}
