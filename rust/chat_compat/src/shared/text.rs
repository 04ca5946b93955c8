//! Small questions about texts of clients.

/// Something, an at sign, something, a dot, something, and no blanks.
pub(crate) fn is_email(text: &str) -> bool {
    // The longest address that mail can be delivered to (RFC 5321).
    const MAX_BYTES: usize = 254;
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let has_inner_dot = domain
        .char_indices()
        .any(|(at, character)| character == '.' && at > 0 && at + 1 < domain.len());
    text.len() <= MAX_BYTES
        && !local.is_empty()
        && !domain.contains('@')
        && has_inner_dot
        && !text.chars().any(char::is_whitespace)
}

/// The whole number a text begins with, as JavaScript's `parseInt` reads it; one that
/// is too large is the largest.
pub(crate) fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(digits.len());
    if end == 0 {
        return None;
    }
    let number = digits[..end].parse().unwrap_or(i64::MAX);
    Some(if is_negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_texts() {
        for good in ["a@b.c", "ana.b+c@x.io", "ñ@x.y.z", "a@b..c"] {
            assert!(is_email(good), "{good}");
        }
        let long = format!("{}@x.io", "a".repeat(250));
        for bad in [
            "", "a", "@b.c", "a@b", "a@.c", "a@b.", "a@b@c.d", "a b@c.d", "a@b.c\n", &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        let cases = [
            ("7", Some(7)),
            (" 12abc", Some(12)),
            ("2.9", Some(2)),
            ("-3", Some(-3)),
            ("+4", Some(4)),
            ("99999999999999999999", Some(i64::MAX)),
            ("", None),
            ("abc", None),
            ("-", None),
            ("٣", None),
        ];
        for (text, number) in cases {
            assert_eq!(leading_integer(text), number, "{text}");
        }
    }
}
