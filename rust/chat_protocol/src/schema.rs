//! JSON schemas of the frames, from the types that parse and write them.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::client_frame::{ClientId, MAX_CLIENT_ID_CHARACTERS, MAX_CONTENT_CHARACTERS, WireFrame};
use crate::fields::{ChangePlace, Integer, Place, Truth};
use crate::server_frame::ServerFrame;

/// What clients send: `oneOf`, a type each. References lead to `definitions`.
pub fn client_frames(definitions: &str) -> Schema {
    let settings = settings(definitions).for_deserialize();
    settings
        .into_generator()
        .into_root_schema_for::<WireFrame>()
}

/// What the server sends: `oneOf`, a type each.
pub fn server_frames(definitions: &str) -> Schema {
    let settings = settings(definitions).for_serialize();
    let generator = settings.into_generator();
    generator.into_root_schema_for::<ServerFrame<'static>>()
}

fn settings(definitions: &str) -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = Cow::Owned(definitions.to_owned());
        settings.meta_schema = None;
    })
}

/// The text of a message.
pub(crate) enum Content {}

/// For a type that stands for a value of another form on the wire.
macro_rules! described {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

described!(
    Content,
    json_schema!({
        "type": "string",
        "maxLength": MAX_CONTENT_CHARACTERS,
        "not": {"type": "string", "pattern": r"\u0000"},
    })
);
described!(
    ClientId,
    json_schema!({
        "description": "the client's own name for the message",
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_CLIENT_ID_CHARACTERS,
        "not": {"type": "string", "pattern": r"[\u0000-\u001f\u007f-\u009f]"},
    })
);
described!(
    Integer,
    json_schema!({
        "description": "an integer, or a text that holds one",
        "anyOf": [
            {"type": "integer"},
            {"type": "string", "pattern": r"^\s*[+-]?[0-9]+(\.0*)?\s*$"},
        ],
    })
);
described!(
    Place,
    json_schema!({
        "description": "the place of a message in its room, or zero, as an integer or a text that holds one",
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*\+?[0-9]+(\.0*)?\s*$"},
        ],
    })
);
described!(
    ChangePlace,
    json_schema!({
        "description": "the place of a change in its room, or zero, as an integer or a text that holds one",
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*\+?[0-9]+(\.0*)?\s*$"},
        ],
    })
);
described!(
    Truth,
    json_schema!({
        "description": "a boolean; of anything else its truth value counts, as in Python",
    })
);
