//! What goes to an edge at once: each frame a single time, however many of its clients
//! get it.

use std::collections::HashMap;

use chat_protocol::EncodedFrame;

use crate::wire::{Frame, Group, ToEdge};

/// Beyond it the rest goes with the next message.
const MAX_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Delivery {
    frames: Vec<EncodedFrame>,
    /// By where the bytes are, which clones of a frame share; `frames` keeps them there.
    indexes: HashMap<usize, u32>,
    /// The connections by what they get.
    groups: HashMap<Vec<u32>, Vec<u64>>,
    bytes: usize,
}

impl Delivery {
    /// Everything that a connection gets now.
    pub(super) fn add(&mut self, connection: u64, frames: impl IntoIterator<Item = EncodedFrame>) {
        let indexes: Vec<u32> = frames
            .into_iter()
            .map(|frame| self.index_of(frame))
            .collect();
        if !indexes.is_empty() {
            self.groups.entry(indexes).or_default().push(connection);
        }
    }

    fn index_of(&mut self, frame: EncodedFrame) -> u32 {
        let address = frame.wire_bytes().as_ptr().addr();
        *self.indexes.entry(address).or_insert_with(|| {
            self.bytes += frame.wire_bytes().len();
            self.frames.push(frame);
            // As many as fit into memory, and that is less.
            u32::try_from(self.frames.len() - 1).unwrap_or(u32::MAX)
        })
    }

    pub(super) fn is_large(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Of all frames, in their wire form.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Has it said.
    pub(super) fn send(self, say: impl FnOnce(ToEdge<'_>)) {
        let groups = self.groups.into_iter();
        say(ToEdge::Deliver {
            frames: self.frames.iter().map(Frame::of).collect(),
            groups: groups
                .map(|(frames, connections)| Group {
                    frames,
                    connections,
                })
                .collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> EncodedFrame {
        EncodedFrame::text(|payload| payload.extend_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_frame_goes_once_for_all_who_get_it() {
        let (common, own) = (frame("common"), frame("own"));
        let mut delivery = Delivery::default();
        delivery.add(1, [common.clone()]);
        delivery.add(2, [own, common.clone()]);
        delivery.add(3, [common]);
        delivery.add(4, []);
        assert_eq!(delivery.bytes(), "common".len() + "own".len() + 4);
        let mut said = false;
        delivery.send(|delivery| {
            let ToEdge::Deliver { frames, mut groups } = delivery else {
                panic!("{delivery:?}");
            };
            groups.sort_by_key(|group| group.connections.clone());
            assert_eq!(frames, [Frame::Text("common"), Frame::Text("own")]);
            let group = |frames: &[u32], connections: &[u64]| Group {
                frames: frames.into(),
                connections: connections.into(),
            };
            assert_eq!(groups, [group(&[0], &[1, 3]), group(&[1, 0], &[2])]);
            said = true;
        });
        assert!(said);
    }
}
