//! What a client that comes back has missed (docs/PROTOCOL.md, "Coming back").

use chat_hub::{Hub, Resume};
use chat_protocol::Position;
use chat_protocol::ids::RoomId;

use crate::backend::ChatBackend;

/// Gets what the hub needs to replay everything behind `since`. The caller is in the
/// room, or holds it.
pub(crate) async fn resume(
    hub: &Hub,
    backend: &dyn ChatBackend,
    room_id: RoomId,
    since: Position,
) -> Resume {
    let loaded = if hub.needs_tail(room_id, since) {
        backend.load_tail(room_id).await
    } else {
        None
    };
    Resume {
        since,
        loaded,
        history: format!("/api/rooms/{room_id}/messages?after_seq={}", since.seq),
        changes: format!(
            "/api/rooms/{room_id}/changes?after={}",
            since.change.unwrap_or_default()
        ),
    }
}
