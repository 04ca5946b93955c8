//! Who calls whom: ringing, active, over. Calls are not stored, and a client that
//! vanishes ends its part for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_socketio::{Payload, Socket};
use serde_json::{Map, Value, json};
use tokio::task::AbortHandle;

use super::people::People;
use super::relay::{Target, stamp, take_target};
use super::rooms::room_id;
use super::{Identity, Live, Refused, State};
use crate::shared::uuid;

const RING_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_CALL_ID_CHARACTERS: usize = 64;
/// Calls one user may be making at a time.
const MAX_CALLS_PER_CALLER: usize = 64;
/// Ended calls that are remembered, so that ending one again is no error.
const REMEMBERED_ENDS: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Calls {
    live: HashMap<String, Call>,
    /// Ids of live calls, by who was a party of them at their beginning.
    by_user: HashMap<String, Vec<String>>,
    ended: VecDeque<(String, Vec<String>)>,
}

#[derive(Debug)]
struct Call {
    id: String,
    kind: &'static str,
    room: Option<String>,
    /// Whether it was made to a room.
    is_group: bool,
    caller: String,
    caller_socket: String,
    /// User and whether it has accepted; the caller is not among them.
    callees: Vec<(String, bool)>,
    /// Everybody at its beginning.
    first_parties: Vec<String>,
    _ringing: Ringing,
}

/// Waits for the time at which a call has rung long enough, until this is dropped: a
/// later call may have the same id, and nothing is left of many short ones.
#[derive(Debug)]
struct Ringing(AbortHandle);

impl Drop for Ringing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Call {
    fn is_party(&self, user: &str) -> bool {
        self.caller == user || self.callees.iter().any(|(callee, _)| callee == user)
    }

    fn is_ringing_at(&self, user: &str) -> bool {
        self.callees
            .iter()
            .any(|(callee, accepted)| callee == user && !accepted)
    }

    fn is_active(&self) -> bool {
        self.callees.iter().any(|(_, accepted)| *accepted)
    }

    fn parties_but(&self, user: &str) -> Vec<String> {
        let callees = self.callees.iter().map(|(callee, _)| callee);
        std::iter::once(&self.caller)
            .chain(callees)
            .filter(|party| *party != user)
            .cloned()
            .collect()
    }

    fn describe(&self, fields: &mut Map<String, Value>) {
        fields.insert("callId".to_owned(), Value::from(self.id.as_str()));
        fields.insert("callType".to_owned(), Value::from(self.kind));
        fields.insert("roomId".to_owned(), json!(self.room));
    }
}

impl Calls {
    pub(super) fn share_a_call(&self, one: &str, other: &str) -> bool {
        self.of_user(one).any(|call| call.is_party(other))
    }

    /// The calls a user is a party of.
    fn of_user<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Call> {
        let ids = self.by_user.get(user).into_iter().flatten();
        ids.filter_map(|id| self.live.get(id))
            .filter(move |call| call.is_party(user))
    }

    fn insert(&mut self, call: Call) {
        for user in &call.first_parties {
            let calls = self.by_user.entry(user.clone()).or_default();
            calls.push(call.id.clone());
        }
        self.live.insert(call.id.clone(), call);
    }

    /// By id, else by the other party, else by room, else the only one that fits.
    fn resolve(
        &self,
        user: &str,
        fields: &Map<String, Value>,
        other: Option<&str>,
        fits: impl Fn(&Call) -> bool,
    ) -> Option<String> {
        if let Some(id) = text(fields, "callId") {
            return self
                .live
                .get(id)
                .filter(|call| fits(call))
                .map(|call| call.id.clone());
        }
        let fitting = || self.of_user(user).filter(|call| fits(call));
        if let Some(other) = other {
            let found = fitting().find(|call| call.is_party(other));
            return found.map(|call| call.id.clone());
        }
        if let Some(room) = room_id(&Value::Object(fields.clone())) {
            let found = fitting().find(|call| call.room.as_deref() == Some(room.as_str()));
            return found.map(|call| call.id.clone());
        }
        let mut all = fitting();
        let only = all.next()?;
        all.next().is_none().then(|| only.id.clone())
    }

    fn remove(&mut self, id: &str) -> Option<Call> {
        let call = self.live.remove(id)?;
        for user in &call.first_parties {
            if let Some(calls) = self.by_user.get_mut(user) {
                calls.retain(|other| other != id);
                if calls.is_empty() {
                    self.by_user.remove(user);
                }
            }
        }
        if self.ended.len() == REMEMBERED_ENDS {
            self.ended.pop_front();
        }
        let mut parties = call.parties_but("");
        parties.sort_unstable();
        self.ended.push_back((call.id.clone(), parties));
        Some(call)
    }

    fn has_ended(&self, id: Option<&str>, user: &str) -> bool {
        self.ended.iter().any(|(ended, parties)| {
            id.is_none_or(|id| id == ended) && parties.iter().any(|party| party == user)
        })
    }
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    fields
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn emit(people: &People, user: &str, event: &str, fields: &Map<String, Value>) {
    let payload = Payload::from(Value::Object(fields.clone()));
    for socket in people.sockets_of(user) {
        socket.emit(event, &payload);
    }
}

fn object(payload: Value) -> Map<String, Value> {
    match payload {
        Value::Object(fields) => fields,
        Value::String(room) => Map::from_iter([("roomId".to_owned(), Value::from(room))]),
        _ => Map::new(),
    }
}

impl State {
    /// A user is not in any call any more.
    pub(super) fn drop_out(
        &mut self,
        user: &str,
        reason: &str,
        socket: &Socket,
        identity: &Identity,
    ) {
        let calls = self.calls.of_user(user);
        let ids: Vec<String> = calls.map(|call| call.id.clone()).collect();
        for id in ids {
            let mut fields = Map::new();
            fields.insert("reason".to_owned(), Value::from(reason));
            stamp(&mut fields, socket, identity, false);
            self.end_part(&id, user, fields);
        }
    }

    /// Ends a call for all, or takes one user out of it; the others are told.
    fn end_part(&mut self, id: &str, user: &str, mut fields: Map<String, Value>) {
        let Some(call) = self.calls.live.get_mut(id) else {
            return;
        };
        call.describe(&mut fields);
        let others = call.parties_but(user);
        let goes_on = call.is_group && call.caller != user && others.len() > 1;
        if goes_on {
            call.callees.retain(|(callee, _)| callee != user);
        } else {
            self.calls.remove(id);
        }
        for other in others {
            emit(&self.people, &other, "call-ended", &fields);
        }
    }

    /// Nobody has answered in time.
    fn stop_ringing(&mut self, id: &str) {
        let Some(call) = self.calls.live.get_mut(id) else {
            return;
        };
        let mut fields = Map::new();
        call.describe(&mut fields);
        fields.insert("reason".to_owned(), Value::from("no-answer"));
        fields.insert("from".to_owned(), Value::from(call.caller.as_str()));
        let told: Vec<String> = if call.is_active() {
            let silent = call.callees.iter().filter(|(_, accepted)| !accepted);
            let silent = silent.map(|(callee, _)| callee.clone()).collect();
            call.callees.retain(|(_, accepted)| *accepted);
            silent
        } else {
            let everybody = call.parties_but("");
            self.calls.remove(id);
            everybody
        };
        for user in told {
            emit(&self.people, &user, "call-ended", &fields);
        }
    }

    /// The caller's socket, or all of the caller's if it is gone.
    fn tell_caller(&self, call: &str, event: &str, fields: &Map<String, Value>) {
        let Some(call) = self.calls.live.get(call) else {
            return;
        };
        match self.people.socket(&call.caller_socket) {
            Some((socket, _)) => socket.emit(event, &Payload::from(Value::Object(fields.clone()))),
            None => emit(&self.people, &call.caller, event, fields),
        }
    }
}

impl Live {
    /// None if whoever is called is not there, which the caller is told.
    pub(super) fn initiate_call(
        self: &Arc<Self>,
        socket: &Socket,
        identity: &Identity,
        payload: Value,
    ) -> Result<Option<Value>, Refused> {
        let mut fields = object(payload);
        let mut state = self.lock();
        let target = take_target(&mut fields, &state.people, socket, identity);
        let room = room_id(&Value::Object(fields.clone()));
        let by_socket = matches!(target, Some(Target::Socket(..)));
        let is_group = target.is_none();
        let (callees, named) = match (&target, &room) {
            (None, None) => return Err("Target not found"),
            (None, Some(room)) => {
                let live = state.people.room(room);
                let live = live.filter(|live| live.has_socket(socket.id()));
                let live = live.ok_or("Not allowed")?;
                (live.others(&identity.user_id), room.clone())
            }
            (Some(Target::Unknown(named)), _) => (Vec::new(), named.clone()),
            (Some(target), _) => {
                let user = target.user().unwrap_or_default().to_owned();
                (vec![user.clone()], user)
            }
        };
        let kind = text(&fields, "callType").or(text(&fields, "type"));
        let kind = if kind == Some("audio") {
            "audio"
        } else {
            "video"
        };
        if callees.is_empty() {
            let rejected = json!({
                "reason": "unavailable",
                "from": named,
                "callId": fields.get("callId"),
                "callType": kind,
                "roomId": room,
            });
            socket.emit("call-rejected", &Payload::from(rejected));
            return Ok(None);
        }
        let calls = state.calls.of_user(&identity.user_id);
        if calls.filter(|call| call.caller == identity.user_id).count() >= MAX_CALLS_PER_CALLER {
            return Err("Too many calls");
        }
        let wanted = text(&fields, "callId").filter(|id| {
            id.chars().count() <= MAX_CALL_ID_CHARACTERS && !state.calls.live.contains_key(*id)
        });
        let id = wanted.map_or_else(uuid, str::to_owned);
        let call = Call {
            id: id.clone(),
            kind,
            room,
            is_group,
            caller: identity.user_id.clone(),
            caller_socket: socket.id().to_owned(),
            callees: callees.iter().map(|user| (user.clone(), false)).collect(),
            first_parties: std::iter::once(&identity.user_id)
                .chain(&callees)
                .cloned()
                .collect(),
            _ringing: self.stop_ringing_later(id.clone()),
        };
        stamp(&mut fields, socket, identity, by_socket);
        call.describe(&mut fields);
        for (key, value) in [
            ("callerId", identity.user_id.as_str()),
            ("callerName", identity.username.as_str()),
            ("callerSocketId", socket.id()),
        ] {
            fields.insert(key.to_owned(), Value::from(value));
        }
        state.calls.insert(call);
        match target {
            Some(Target::Socket(target, _)) => {
                target.emit("incoming-call", &Payload::from(Value::Object(fields)));
            }
            _ => {
                for user in callees {
                    emit(&state.people, &user, "incoming-call", &fields);
                }
            }
        }
        Ok(Some(json!({"callId": id})))
    }

    /// Counts from now, not from when the task first runs.
    fn stop_ringing_later(self: &Arc<Self>, call: String) -> Ringing {
        let live = Arc::downgrade(self);
        let until = tokio::time::Instant::now() + RING_TIMEOUT;
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            if let Some(live) = live.upgrade() {
                live.lock().stop_ringing(&call);
            }
        });
        Ringing(task.abort_handle())
    }

    pub(super) fn accept_call(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: Value,
    ) -> Result<Value, Refused> {
        let user = &identity.user_id;
        let mut state = self.lock();
        let (id, mut fields) = find_call(&state, socket, identity, payload, |call| {
            call.is_ringing_at(user)
        })?;
        if let Some(call) = state.calls.live.get_mut(&id) {
            let mut callees = call.callees.iter_mut();
            if let Some((_, accepted)) = callees.find(|(callee, _)| callee == user) {
                *accepted = true;
            }
            call.describe(&mut fields);
        }
        state.tell_caller(&id, "call-accepted", &fields);
        fields.insert("reason".to_owned(), Value::from("answered-elsewhere"));
        let elsewhere = Payload::from(Value::Object(fields));
        let sockets = state.people.sockets_of(user).into_iter();
        for other in sockets.filter(|other| other.id() != socket.id()) {
            other.emit("call-ended", &elsewhere);
        }
        Ok(json!({"callId": id}))
    }

    pub(super) fn reject_call(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: Value,
    ) -> Result<Value, Refused> {
        let user = &identity.user_id;
        let mut state = self.lock();
        let (id, mut fields) = find_call(&state, socket, identity, payload, |call| {
            call.is_ringing_at(user)
        })?;
        give_reason(&mut fields, "rejected");
        if let Some(call) = state.calls.live.get(&id) {
            call.describe(&mut fields);
        }
        state.tell_caller(&id, "call-rejected", &fields);
        if let Some(call) = state.calls.live.get_mut(&id) {
            call.callees.retain(|(callee, _)| callee != user);
            if call.callees.is_empty() {
                state.calls.remove(&id);
            }
        }
        Ok(json!({"callId": id}))
    }

    pub(super) fn end_call(
        &self,
        socket: &Socket,
        identity: &Identity,
        payload: Value,
    ) -> Result<Value, Refused> {
        let user = &identity.user_id;
        let mut state = self.lock();
        let named = payload
            .get("callId")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let found = find_call(&state, socket, identity, payload, |call| {
            call.is_party(user)
        });
        let Ok((id, mut fields)) = found else {
            let again = state.calls.has_ended(named.as_deref(), user);
            return again.then_some(Value::Null).ok_or("Call not found");
        };
        give_reason(&mut fields, "ended");
        state.end_part(&id, user, fields);
        Ok(json!({"callId": id}))
    }
}

/// The call a payload means, and its fields with the stamps.
fn find_call(
    state: &State,
    socket: &Socket,
    identity: &Identity,
    payload: Value,
    fits: impl Fn(&Call) -> bool,
) -> Result<(String, Map<String, Value>), Refused> {
    let mut fields = object(payload);
    let target = take_target(&mut fields, &state.people, socket, identity);
    let by_socket = matches!(target, Some(Target::Socket(..)));
    let other = target
        .as_ref()
        .map(|target| target.user().unwrap_or_default());
    let id = state
        .calls
        .resolve(&identity.user_id, &fields, other, fits)
        .ok_or("Call not found")?;
    stamp(&mut fields, socket, identity, by_socket);
    Ok((id, fields))
}

fn give_reason(fields: &mut Map<String, Value>, otherwise: &str) {
    if text(fields, "reason").is_none() {
        fields.insert("reason".to_owned(), Value::from(otherwise));
    }
}
