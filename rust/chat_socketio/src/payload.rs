//! What comes with an event or an acknowledgement.

use bytes::Bytes;
use serde_json::Value;

/// Arguments, and the attachments that stand in them as
/// `{"_placeholder":true,"num":0}`, with `num` the position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Payload {
    pub args: Vec<Value>,
    pub attachments: Vec<Bytes>,
}

impl From<Value> for Payload {
    fn from(arg: Value) -> Self {
        Self::from(vec![arg])
    }
}

impl From<Vec<Value>> for Payload {
    fn from(args: Vec<Value>) -> Self {
        Self {
            args,
            attachments: Vec::new(),
        }
    }
}
