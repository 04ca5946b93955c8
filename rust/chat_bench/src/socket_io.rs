//! As much of Socket.IO as a client needs that joins one room and writes into it.
//!
//! Events are `join` with the room, acknowledged, and `tell` with the room and a
//! message, which a server sends on to all of the room.

/// What a text of the server must be answered with; none if it is for somebody else:
/// the acknowledgement of `join`, which is the welcome, and the messages.
pub(crate) fn answer(text: &[u8]) -> Option<&'static [u8]> {
    match text {
        [b'0', ..] => Some(b"40"),
        b"2" => Some(b"3"),
        [b'4', b'0', ..] => Some(br#"420["join","room"]"#),
        _ => None,
    }
}

/// Appends the event that carries a message.
pub(crate) fn append_event(out: &mut Vec<u8>, write_message: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(br#"42["tell","room","#);
    write_message(out);
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_into_its_room_and_stays_there() {
        assert_eq!(answer(br#"0{"sid":"x"}"#), Some(&b"40"[..]));
        assert_eq!(
            answer(br#"40{"sid":"y"}"#),
            Some(&br#"420["join","room"]"#[..])
        );
        assert_eq!(answer(b"2"), Some(&b"3"[..]));
        for others in [&b"430[]"[..], br#"42["told","room",{}]"#, b""] {
            assert_eq!(answer(others), None);
        }
    }

    #[test]
    fn a_message_is_an_argument() {
        let mut out = Vec::new();
        append_event(&mut out, |out| out.extend_from_slice(b"{}"));
        assert_eq!(out, br#"42["tell","room",{}]"#);
    }
}
