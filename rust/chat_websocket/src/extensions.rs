//! `Sec-WebSocket-Extensions` (RFC 6455, section 9.1), as far as it offers
//! permessage-deflate (RFC 7692, section 7.1).

use std::borrow::Cow;

use crate::deflate::SERVER_WINDOW_BITS;

const EXTENSION: &str = "permessage-deflate";

// No context is kept in either direction: one compression serves all readers, and
// no connection needs a window for what its client sends.
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const ANSWER_WITH_WINDOW: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";

/// The answer to the values of a request's `Sec-WebSocket-Extensions` headers, if
/// there is an offer of permessage-deflate among them that one compression for
/// all readers can honour.
pub fn accept_deflate<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<&'static str> {
    let mut answer = None;
    for header in headers {
        let mut rest = Tokens(std::str::from_utf8(header).ok()?);
        // The client's order is its preference. What is malformed is no offer at all.
        for offer in rest.offers()? {
            answer = answer.or_else(|| accept(&offer));
        }
    }
    answer
}

struct Offer<'a> {
    extension: &'a str,
    parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

fn accept(offer: &Offer<'_>) -> Option<&'static str> {
    if offer.extension != EXTENSION {
        return None;
    }
    let mut answer = ANSWER;
    let mut seen = Vec::new();
    for (name, value) in &offer.parameters {
        if seen.contains(name) {
            return None;
        }
        seen.push(name);
        match (*name, value.as_deref()) {
            ("server_no_context_takeover" | "client_no_context_takeover", None)
            | ("client_max_window_bits", None) => {}
            // Whatever the client uses fits the largest window, which is ours.
            ("client_max_window_bits", Some(bits)) => {
                window_bits(bits)?;
            }
            ("server_max_window_bits", Some(bits)) if window_bits(bits)? >= SERVER_WINDOW_BITS => {
                answer = ANSWER_WITH_WINDOW;
            }
            _ => return None,
        }
    }
    Some(answer)
}

/// 8 to 15, without leading zeros.
fn window_bits(text: &str) -> Option<u8> {
    match text {
        "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15" => text.parse().ok(),
        _ => None,
    }
}

/// What is left of a header value.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    fn offers(&mut self) -> Option<Vec<Offer<'a>>> {
        let mut offers = Vec::new();
        loop {
            while self.skip(',') {}
            if self.0.is_empty() {
                return Some(offers);
            }
            let extension = self.token()?;
            let mut parameters = Vec::new();
            while self.skip(';') {
                let name = self.token()?;
                let value = if self.skip('=') {
                    Some(self.value()?)
                } else {
                    None
                };
                parameters.push((name, value));
            }
            offers.push(Offer {
                extension,
                parameters,
            });
            if !self.0.is_empty() && !self.0.starts_with(',') {
                return None;
            }
        }
    }

    /// Takes a separator off, and blanks around it.
    fn skip(&mut self, separator: char) -> bool {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        let Some(rest) = self.0.strip_prefix(separator) else {
            return false;
        };
        self.0 = rest.trim_start_matches([' ', '\t']);
        true
    }

    /// RFC 9110, section 5.6.2.
    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, or a quoted string (RFC 9110, section 5.6.4).
    fn value(&mut self) -> Option<Cow<'a, str>> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            return self.token().map(Cow::Borrowed);
        };
        let mut value = String::new();
        let mut characters = quoted.char_indices();
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = &quoted[index + 1..];
                    return Some(Cow::Owned(value));
                }
                '\\' => value.push(characters.next()?.1),
                _ => value.push(character),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[&str]) -> Option<&'static str> {
        accept_deflate(headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn offers_of_usual_clients_are_accepted() {
        // Browsers; websockets for Python; ws for Node.
        for (offer, expected) in [
            ("permessage-deflate", ANSWER),
            ("permessage-deflate; client_max_window_bits", ANSWER),
            (
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
                ANSWER_WITH_WINDOW,
            ),
            (
                "permessage-deflate;server_no_context_takeover;client_no_context_takeover;client_max_window_bits=8",
                ANSWER,
            ),
            (
                "permessage-deflate ; server_max_window_bits = \"1\\5\"",
                ANSWER_WITH_WINDOW,
            ),
        ] {
            assert_eq!(answer(&[offer]), Some(expected), "{offer}");
        }
    }

    #[test]
    fn offers_that_cannot_be_honoured_are_declined() {
        for offer in [
            "",
            ",",
            "x-webkit-deflate-frame",
            "permessage-bzip2",
            "permessage-deflate; unknown",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"12",
            "permessage-deflate; ; client_max_window_bits",
            "permessage-deflate client_max_window_bits",
            "permessage-deflate, =",
            "permessage-deflate; ñ",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
        assert_eq!(accept_deflate([&b"\xff"[..]]), None);
        assert_eq!(answer(&[]), None);
    }

    #[test]
    fn the_first_offer_that_can_be_honoured_is_accepted() {
        for offers in [
            &["permessage-deflate; server_max_window_bits=10, permessage-deflate"][..],
            &["foo; bar=\"a, b; \\\"c\", permessage-deflate"],
            &[
                "foo",
                "permessage-deflate, permessage-deflate; server_max_window_bits=15",
            ],
        ] {
            assert_eq!(answer(offers), Some(ANSWER), "{offers:?}");
        }
    }

    #[test]
    fn the_answer_states_the_window() {
        let bits = format!("server_max_window_bits={SERVER_WINDOW_BITS}");
        assert!(ANSWER_WITH_WINDOW.ends_with(&bits));
    }
}
