//! As much of webrtc's signalling as two clients need that are in a call, over Socket.IO:
//! whoever calls sends candidates, and gets each of them back from the other.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::plan::Peer;

/// How packets of its namespace begin, behind their type.
const CONNECT: &[u8] = b"40/compat/webrtc,";
const EVENT: &[u8] = b"42/compat/webrtc,";
const INCOMING_CALL: &[u8] = b"[\"incoming-call\"";
const CANDIDATE: &[u8] = b"[\"webrtc-ice-candidate\"";
const ERROR: &[u8] = b"[\"error\"";

/// A candidate as the server relays it.
#[derive(Deserialize)]
struct Relayed<'a> {
    #[serde(borrow)]
    candidate: &'a RawValue,
}

/// What a text of the server must be answered with; none if it is for somebody else.
/// Whoever is called is welcomed by the namespace, and whoever calls by the other
/// party's consent. A candidate goes back unless it is one that came back.
pub(crate) fn answer(text: &[u8], peer: Option<&Peer>) -> Option<Cow<'static, [u8]>> {
    match text {
        [b'0', ..] => Some(Cow::Borrowed(CONNECT)),
        b"2" => Some(Cow::Borrowed(b"3")),
        _ if text.starts_with(CONNECT) => {
            let callee = peer.filter(|peer| peer.is_called)?;
            Some(event(&format!(r#"["initiate-call",{{"to":"{}"}}]"#, callee.user)).into())
        }
        _ if is_event(text, INCOMING_CALL) => Some(event(r#"["accept-call",{}]"#).into()),
        _ if is_event(text, CANDIDATE) => {
            let caller = peer.filter(|peer| !peer.is_called)?;
            let arguments = text.strip_prefix(EVENT)?;
            let (_, relayed): (&str, Relayed<'_>) = serde_json::from_slice(arguments).ok()?;
            let mut answer = Vec::with_capacity(text.len());
            append_event(&mut answer, Some(caller), |out| {
                out.extend_from_slice(relayed.candidate.get().as_bytes());
            });
            Some(answer.into())
        }
        _ => None,
    }
}

/// Whether the server refuses what was sent.
pub(crate) fn is_refusal(text: &[u8]) -> bool {
    is_event(text, ERROR)
}

/// Appends the event that carries a message to the other party.
pub(crate) fn append_event(
    out: &mut Vec<u8>,
    peer: Option<&Peer>,
    write_message: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(EVENT);
    out.extend_from_slice(br#"["webrtc-ice-candidate",{"to":""#);
    out.extend_from_slice(peer.map_or("", |peer| &peer.user).as_bytes());
    out.extend_from_slice(br#"","candidate":"#);
    write_message(out);
    out.extend_from_slice(b"}]");
}

fn event(arguments: &str) -> Vec<u8> {
    [EVENT, arguments.as_bytes()].concat()
}

fn is_event(text: &[u8], start: &[u8]) -> bool {
    text.strip_prefix(EVENT)
        .is_some_and(|arguments| arguments.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(is_called: bool) -> Peer {
        Peer {
            user: "beto".to_owned(),
            is_called,
        }
    }

    #[test]
    fn one_calls_and_the_other_accepts() {
        let (caller, callee) = (peer(true), peer(false));
        for one in [&caller, &callee] {
            let entered = answer(br#"0{"sid":"x"}"#, Some(one));
            assert_eq!(entered.as_deref(), Some(CONNECT));
            assert_eq!(answer(b"2", Some(one)).as_deref(), Some(&b"3"[..]));
        }
        let connected = br#"40/compat/webrtc,{"sid":"y"}"#;
        assert_eq!(
            answer(connected, Some(&caller)).as_deref(),
            Some(&br#"42/compat/webrtc,["initiate-call",{"to":"beto"}]"#[..])
        );
        assert_eq!(answer(connected, Some(&callee)), None);
        let call = br#"42/compat/webrtc,["incoming-call",{"callId":"z"}]"#;
        assert_eq!(
            answer(call, Some(&callee)).as_deref(),
            Some(&br#"42/compat/webrtc,["accept-call",{}]"#[..])
        );
        let accepted = br#"42/compat/webrtc,["call-accepted",{"callId":"z"}]"#;
        assert_eq!(answer(accepted, Some(&caller)), None);
        assert!(!is_refusal(accepted));
        assert!(is_refusal(br#"42/compat/webrtc,["error",{"message":"x"}]"#));
    }

    #[test]
    fn a_candidate_goes_back_once() {
        let there =
            br#"42/compat/webrtc,["webrtc-ice-candidate",{"from":"ana","candidate":{"a":[1]}}]"#;
        let back =
            br#"42/compat/webrtc,["webrtc-ice-candidate",{"to":"beto","candidate":{"a":[1]}}]"#;
        assert_eq!(
            answer(there, Some(&peer(false))).as_deref(),
            Some(&back[..])
        );
        assert_eq!(answer(there, Some(&peer(true))), None);
    }

    #[test]
    fn a_message_is_a_candidate_for_the_other() {
        let mut out = Vec::new();
        append_event(&mut out, Some(&peer(true)), |out| {
            out.extend_from_slice(b"{}")
        });
        let event = br#"42/compat/webrtc,["webrtc-ice-candidate",{"to":"beto","candidate":{}}]"#;
        assert_eq!(out, event);
    }
}
