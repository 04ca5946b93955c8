//! Who talks, and where.

use std::fmt;

use uuid::Uuid;

/// A process, from its start to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Uuid);

impl NodeId {
    pub(crate) const LENGTH: usize = 16;

    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its bytes, as other processes may have to name it.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        self.0.as_bytes()
    }

    /// The process of these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// What a process can listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Every process does.
    All,
    /// Only this process does.
    Node(NodeId),
    /// Those do that have subscribed to the number.
    Numbered(i64),
}

impl Channel {
    /// What the server calls it.
    pub(crate) fn name(self, prefix: &str) -> String {
        match self {
            Self::All => format!("{prefix}:all"),
            Self::Node(node) => format!("{prefix}:node:{node}"),
            Self::Numbered(number) => format!("{prefix}:{number}"),
        }
    }
}
