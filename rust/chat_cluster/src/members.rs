//! Which other processes are there: those that have been heard of lately.
//!
//! Pure state. Time is counted in ticks of the process itself, so that one that stood
//! still does not take the others for gone.

use std::collections::HashMap;

use crate::channel::NodeId;

/// Ticks without a word after which a process is gone. A tick is a second.
const SILENCE: u32 = 6;

#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Ticks since each was heard of.
    silent: HashMap<NodeId, u32>,
}

impl Members {
    /// True if it was not there.
    pub(crate) fn heard_of(&mut self, node: NodeId) -> bool {
        self.silent.insert(node, 0).is_none()
    }

    /// True if it was there.
    pub(crate) fn remove(&mut self, node: NodeId) -> bool {
        self.silent.remove(&node).is_some()
    }

    /// A second is over; gives those that are gone.
    pub(crate) fn tick(&mut self) -> Vec<NodeId> {
        let mut gone = Vec::new();
        self.silent.retain(|node, ticks| {
            *ticks += 1;
            if *ticks > SILENCE {
                gone.push(*node);
            }
            *ticks <= SILENCE
        });
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_says_nothing_is_gone_after_a_while() {
        let (one, other) = (NodeId::random(), NodeId::random());
        let mut members = Members::default();
        assert!(members.heard_of(one));
        assert!(members.heard_of(other));
        for _ in 0..SILENCE {
            assert!(members.tick().is_empty());
            assert!(!members.heard_of(other));
        }
        assert_eq!(members.tick(), [one]);
        assert!(members.heard_of(one));
        assert!(members.remove(one));
        assert!(!members.remove(one));
    }
}
