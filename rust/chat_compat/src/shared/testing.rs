//! What tests of several faces generate.

use proptest::prelude::*;
use serde_json::Value;

/// The fields clients use.
const KEYS: [&str; 16] = [
    "type",
    "payload",
    "token",
    "roomId",
    "room",
    "meetingId",
    "userId",
    "name",
    "content",
    "message",
    "tempId",
    "callId",
    "to",
    "targetUserId",
    "callerId",
    "_placeholder",
];

/// A text, often one that means something.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[a-c\0 ]{0,3}",
        Just("me".to_owned()),
        Just("JOIN_ROOM".to_owned()),
    ]
}

/// JSON, mostly objects with the fields clients use.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let key = prop_oneof![
            4 => prop::sample::select(&KEYS[..]).prop_map(str::to_owned),
            1 => any_text(),
        ];
        let object = prop::collection::btree_map(key, inner.clone(), 0..5)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()));
        prop_oneof![3 => object, 1 => prop::collection::vec(inner, 0..4).prop_map(Value::from)]
    })
}
