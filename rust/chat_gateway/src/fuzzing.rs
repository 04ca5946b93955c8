//! What the targets of `rust/fuzz` need of the insides.

use crate::handshake::UpgradeRequest;

/// A request head: what is taken of it cannot add a line to the answer.
///
/// # Panics
/// If that does not hold.
pub fn handshake(data: &[u8]) {
    let Some(request) = UpgradeRequest::parse(data, "/root") else {
        return;
    };
    assert!(data.ends_with(&request.leftover));
    let answer = request.switching_protocols(request.deflate_answer);
    let lines: Vec<&str> = answer.split("\r\n").collect();
    let extensions = usize::from(request.deflate_answer.is_some());
    assert_eq!(lines.len(), 6 + extensions, "{answer:?}");
    assert!(answer.ends_with("\r\n\r\n"));
    assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    if let Ok((room, wish)) = request.wish() {
        assert!(room.0 > 0 && !wish.token.is_empty());
    }
}
