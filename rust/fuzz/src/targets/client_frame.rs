//! The JSON of a client's frame: what is understood keeps its bounds, and means the
//! same when it is written again.

use chat_protocol::{ClientFrame, FrameError, MAX_CONTENT_CHARACTERS, MessageDraft};
use serde_json::{Value, json};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = ClientFrame::parse(text);
    if let Ok(value) = serde_json::from_str::<Value>(text)
        && !value.is_object()
    {
        assert_eq!(parsed, Err(FrameError::Malformed));
    }
    if let Ok(ClientFrame::Message(draft)) = parsed {
        assert!(draft.content.chars().count() <= MAX_CONTENT_CHARACTERS);
        assert!(!draft.content.contains('\0'));
        assert!(!draft.content.is_empty() || draft.file_id.is_some());
        let again = write(&draft).to_string();
        assert_eq!(ClientFrame::parse(&again), Ok(ClientFrame::Message(draft)));
    }
}

fn write(draft: &MessageDraft) -> Value {
    json!({
        "type": "message",
        "content": draft.content,
        "file_id": draft.file_id,
        "client_id": draft.client_id.as_ref().map(|id| id.as_str()),
    })
}
