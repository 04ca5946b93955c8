//! The mark in the text of every message: `phase.sender.sequence.micros.xxx…`.
//!
//! It makes each message unique and says when it was sent. Found without a JSON
//! parser, because the client must cost less than the server it measures: the
//! servers put `"content":"` once into a frame, before anything a client wrote.

const CONTENT_KEY: &str = "\"content\":\"";

/// Who sent a message, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) phase: u64,
    pub(crate) sender: u64,
    pub(crate) sequence: u64,
    /// Since the client's own start.
    pub(crate) sent_micros: u64,
}

impl Marker {
    /// The text of the message, filled up to `content_bytes`.
    pub(crate) fn to_content(self, content_bytes: usize) -> String {
        let Self {
            phase,
            sender,
            sequence,
            sent_micros,
        } = self;
        let mark = format!("{phase}.{sender}.{sequence}.{sent_micros}.");
        format!("{mark:x<content_bytes$}")
    }

    /// The mark of a frame, or none if it is no message of ours.
    pub(crate) fn find(frame: &str) -> Option<Self> {
        let (_, content) = frame.split_once(CONTENT_KEY)?;
        let mut numbers = content.splitn(5, '.').map(|number| number.parse().ok());
        Some(Self {
            phase: numbers.next()??,
            sender: numbers.next()??,
            sequence: numbers.next()??,
            sent_micros: numbers.next()??,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker = Marker {
        phase: 3,
        sender: 1,
        sequence: 40,
        sent_micros: 1_234_567,
    };

    #[test]
    fn a_mark_is_found_in_the_frame_of_a_server() {
        let content = MARKER.to_content(48);
        assert_eq!(content.len(), 48);
        let frame = format!(r#"{{"type":"message","id":7,"content":"{content}","room_id":1}}"#);
        assert_eq!(Marker::find(&frame), Some(MARKER));
    }

    #[test]
    fn other_frames_have_no_mark() {
        for frame in [
            r#"{"type":"user_joined","user_id":1}"#,
            r#"{"type":"message","content":"1.2.x.4.yyy"}"#,
            r#"{"type":"message","content":"1.2.3"}"#,
        ] {
            assert_eq!(Marker::find(frame), None, "{frame}");
        }
    }
}
