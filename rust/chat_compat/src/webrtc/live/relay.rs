//! Offers, answers and candidates on their way from one client to another. What is in
//! them is nobody's business here: not looked at, not stored, not logged.

use bytes::Bytes;
use chat_socketio::{Payload, Socket};
use serde_json::{Map, Value};

use super::people::People;
use super::rooms::room_id;
use super::{Identity, Live, Refused, State, topic_of};

/// Where clients put whom they mean, the first that names somebody counts.
const TARGET_KEYS: [&str; 12] = [
    "targetSocketId",
    "targetUserId",
    "to",
    "target",
    "targetId",
    "toUserId",
    "toSocketId",
    "receiverId",
    "recipientId",
    "calleeId",
    "callerId",
    "callerSocketId",
];

/// Whom a payload means.
pub(super) enum Target {
    /// One socket, and whose it is.
    Socket(Socket, String),
    User(String),
    Unknown(String),
}

impl Target {
    /// The user meant; none if there is none here.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::Socket(_, user) | Self::User(user) => Some(user),
            Self::Unknown(_) => None,
        }
    }
}

/// Takes the target out of a payload; values that name the sender do not count.
pub(super) fn take_target(
    fields: &mut Map<String, Value>,
    people: &People,
    socket: &Socket,
    identity: &Identity,
) -> Option<Target> {
    let value = take_other(fields, &[socket.id(), &identity.user_id])?;
    if let Some((socket, identity)) = people.socket(&value) {
        return Some(Target::Socket(socket.clone(), identity.user_id.clone()));
    }
    if people.sockets_of(&value).is_empty() {
        Some(Target::Unknown(value))
    } else {
        Some(Target::User(value))
    }
}

/// Takes out the first text under a target's key that is not one of these.
fn take_other(fields: &mut Map<String, Value>, own: &[&str]) -> Option<String> {
    let is_other = |value: &str| !value.is_empty() && !own.contains(&value);
    let key = TARGET_KEYS.into_iter().find(|key| {
        fields
            .get(*key)
            .and_then(Value::as_str)
            .is_some_and(is_other)
    })?;
    match fields.remove(key) {
        Some(Value::String(value)) => Some(value),
        _ => None,
    }
}

/// Writes who it is from over whatever the client has said.
pub(super) fn stamp(
    fields: &mut Map<String, Value>,
    socket: &Socket,
    identity: &Identity,
    by_socket: bool,
) {
    let mirrored = if by_socket {
        socket.id()
    } else {
        &identity.user_id
    };
    for (key, value) in [
        ("from", mirrored),
        ("sender", mirrored),
        ("fromUserId", &identity.user_id),
        ("fromUsername", &identity.username),
        ("fromSocketId", socket.id()),
        ("senderId", &identity.user_id),
        ("senderName", &identity.username),
        ("senderSocketId", socket.id()),
    ] {
        fields.insert(key.to_owned(), Value::from(value));
    }
}

impl Live {
    pub(super) fn relay(
        &self,
        socket: &Socket,
        identity: &Identity,
        event: &str,
        payload: Value,
        attachments: Vec<Bytes>,
    ) -> Result<Value, Refused> {
        let Value::Object(mut fields) = payload else {
            return Err("Target not found");
        };
        let state = self.lock();
        let target = take_target(&mut fields, &state.people, socket, identity);
        let by_socket = matches!(target, Some(Target::Socket(..)));
        let room = room_id(&Value::Object(fields.clone()));
        stamp(&mut fields, socket, identity, by_socket);
        let payload = Payload {
            args: vec![Value::Object(fields)],
            attachments,
        };
        match (target, room) {
            (Some(Target::Unknown(_)), _) | (None, None) => Err("Target not found"),
            (Some(Target::Socket(target, user)), _) => {
                may_reach(&state, &identity.user_id, &user)?;
                target.emit(event, &payload);
                Ok(Value::Null)
            }
            (Some(Target::User(user)), _) => {
                may_reach(&state, &identity.user_id, &user)?;
                for target in state.people.sockets_of(&user) {
                    target.emit(event, &payload);
                }
                Ok(Value::Null)
            }
            (None, Some(room)) => {
                let live = state.people.room(&room);
                if !live.is_some_and(|room| room.has_socket(socket.id())) {
                    return Err("Not allowed");
                }
                for namespace in &self.namespaces {
                    namespace.emit_to(&topic_of(&room), event, &payload, Some(socket));
                }
                Ok(Value::Null)
            }
        }
    }
}

/// People who share a room or a call may signal each other.
fn may_reach(state: &State, one: &str, other: &str) -> Result<(), Refused> {
    let allowed = one == other
        || state.people.share_a_room(one, other)
        || state.calls.share_a_call(one, other);
    allowed.then_some(()).ok_or("Not allowed")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shared::testing::any_json;

    proptest! {
        #[test]
        fn a_target_is_the_first_text_that_is_somebody_else(payload in any_json()) {
            let Value::Object(before) = payload else {
                return Ok(());
            };
            let candidates: Vec<&str> = TARGET_KEYS
                .iter()
                .filter_map(|key| before.get(*key)?.as_str())
                .filter(|value| !["", "me"].contains(value))
                .collect();
            let mut after = before.clone();
            let taken = take_other(&mut after, &["me"]);
            prop_assert_eq!(taken.as_deref(), candidates.first().copied());
            prop_assert_eq!(after.len() + usize::from(taken.is_some()), before.len());
            for (key, value) in &after {
                prop_assert_eq!(&before[key], value);
            }
        }
    }
}
