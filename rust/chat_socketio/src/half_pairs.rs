//! Halves of surrogate pairs in JSON.
//!
//! A text of JavaScript that was cut within an emoji ends with half of it, which
//! `JSON.stringify` writes as an escape (`"\ud83d"`). It stands for no character, so a
//! decoder of UTF-8 refuses it, and an honest client would lose its connection.

use std::borrow::Cow;

/// The text with the replacement character for each half without the other.
pub(crate) fn replace_half_pairs(text: &str) -> Cow<'_, str> {
    let mut changed = Cow::Borrowed(text);
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return changed;
    }
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at + found;
        at = escape
            + match unit_at(text, escape) {
                // Of any other escape the character behind it, which may be long.
                None => text[escape + 1..]
                    .chars()
                    .next()
                    .map_or(1, |next| 1 + next.len_utf8()),
                Some(0xd800..=0xdbff)
                    if matches!(unit_at(text, escape + 6), Some(0xdc00..=0xdfff)) =>
                {
                    12
                }
                Some(0xd800..=0xdfff) => {
                    // As long as what was there.
                    changed
                        .to_mut()
                        .replace_range(escape..escape + 6, "\\ufffd");
                    6
                }
                Some(_) => 6,
            };
    }
    changed
}

/// The code unit whose escape begins there.
fn unit_at(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn only_halves_are_replaced() {
        for (text, expected) in [
            (r#"["año"]"#, r#"["año"]"#),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#),
            (r#"["\uD83D"]"#, r#"["\ufffd"]"#),
            (r#"["\ude00\ud83d"]"#, r#"["\ufffd\ufffd"]"#),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            (r#"["\\ud83d"]"#, r#"["\\ud83d"]"#),
            (r#"["\\\ud83d\n"]"#, r#"["\\\ufffd\n"]"#),
            (r"\ud8", r"\ud8"),
            (r"\ud83d\", r"\ufffd\"),
            (r"\ñ\ud83d", r"\ñ\ufffd"),
        ] {
            assert_eq!(replace_half_pairs(text), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_of_javascript_can_be_read(units: Vec<u16>) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let read: Value = serde_json::from_str(&replace_half_pairs(&format!("\"{escapes}\"")))?;
            prop_assert_eq!(read, Value::from(String::from_utf16_lossy(&units)));
        }

        #[test]
        fn any_text_is_left_as_long_as_it_was(text in "[\\\\udD8ñ3]{0,40}") {
            prop_assert_eq!(replace_half_pairs(&text).len(), text.len());
        }
    }
}
