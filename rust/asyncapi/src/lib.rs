//! docs/asyncapi.json: the frames of a room's socket as an AsyncAPI document.
//!
//! What it says of frames comes from the types that parse and write them; a new type
//! of frame is in it by being a variant there. The rest, the channel and how the two
//! directions are called, stands here.

use chat_protocol::schema::{client_frames, server_frames};
use serde_json::{Map, Value, json};

/// Where the document is, from the root of the repository.
pub const PLACE: &str = "docs/asyncapi.json";

const SCHEMAS: &str = "/components/schemas";

/// The document.
pub fn document() -> Value {
    let mut schemas = Map::new();
    let sent = messages(client_frames(SCHEMAS).into(), &mut schemas);
    let mut received: Value = server_frames(SCHEMAS).into();
    forbid_null(&mut received);
    let received = messages(received, &mut schemas);
    let (mut channel, mut components) = (Map::new(), Map::new());
    let mut operation = |name: &str, messages: Vec<(String, Value)>| -> Vec<Value> {
        let mut references = Vec::new();
        for (kind, message) in messages {
            let key = format!("{name}_{kind}");
            let reference = |place: &str| json!({"$ref": format!("{place}/{key}")});
            references.push(reference("#/channels/room/messages"));
            channel.insert(key.clone(), reference("#/components/messages"));
            components.insert(key, message);
        }
        references
    };
    let (sent, received) = (operation("client", sent), operation("server", received));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "IzpoChat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The frames of a room's socket, each one JSON object in a text frame. In which order they \
                come, and what belongs to them, is in PROTOCOL.md. Objects may gain keys: clients ignore those that \
                they do not know.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "room": {
                "address": "/api/ws/{room_id}",
                "description": "Also `/ws/{room_id}`.",
                "parameters": {"room_id": {"description": "The room's id."}},
                "messages": channel,
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {
                            "type": "object",
                            "properties": {
                                "token": {"type": "string", "description": "An access token."},
                                "since_seq": {
                                    "type": "integer",
                                    "minimum": 0,
                                    "description": "Of a client that comes back: the last place it has seen.",
                                },
                                "since_change": {
                                    "type": "integer",
                                    "minimum": 0,
                                    "description": "With `since_seq`: the last change it has seen.",
                                },
                                "events": {
                                    "type": "string",
                                    "description": "Kinds of events, separated by commas, that the client asks for.",
                                },
                            },
                            "required": ["token"],
                        },
                    },
                },
            },
        },
        "operations": {
            "hear_clients": {
                "action": "receive",
                "channel": {"$ref": "#/channels/room"},
                "messages": sent,
            },
            "tell_clients": {
                "action": "send",
                "channel": {"$ref": "#/channels/room"},
                "messages": received,
            },
        },
        "components": {"messages": components, "schemas": schemas},
    })
}

/// The types of frames of one direction, in order; what they refer to goes to `schemas`.
fn messages(mut frames: Value, schemas: &mut Map<String, Value>) -> Vec<(String, Value)> {
    if let Some(components) = frames.get_mut("components").map(Value::take)
        && let Some(Value::Object(definitions)) = components.get("schemas").cloned()
    {
        schemas.extend(definitions);
    }
    let Some(Value::Array(variants)) = frames.get_mut("oneOf").map(Value::take) else {
        return Vec::new();
    };
    let message = |mut payload: Value| {
        let kind = payload["properties"]["type"]["const"].as_str()?.to_owned();
        let summary = payload.as_object_mut()?.remove("description");
        let message = json!({
            "name": kind,
            "summary": summary.unwrap_or_default(),
            "payload": payload,
        });
        Some((kind, message))
    };
    variants.into_iter().filter_map(message).collect()
}

/// What the server may leave out is then absent, and never null.
fn forbid_null(schema: &mut Value) {
    let is_null = |schema: &Value| schema == "null" || schema["type"] == "null";
    let required = schema["required"].clone();
    let is_required = |name: &str| {
        let names = required.as_array().into_iter().flatten();
        names.into_iter().any(|other| other == name)
    };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            if is_required(name) {
                continue;
            }
            for key in ["type", "anyOf"] {
                if let Some(Value::Array(choices)) = property.get_mut(key) {
                    choices.retain(|choice| !is_null(choice));
                }
            }
        }
    }
    match schema {
        Value::Object(parts) => parts.values_mut().for_each(forbid_null),
        Value::Array(parts) => parts.iter_mut().for_each(forbid_null),
        _ => {}
    }
}
