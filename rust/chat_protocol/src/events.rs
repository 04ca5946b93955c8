//! Kinds of events that only those clients get who have asked for them
//! (docs/PROTOCOL.md, "Asking for events").

use serde::{Serialize, Serializer};

/// A kind of event that no client of the contract knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Messages are edited and deleted.
    Changes,
    /// Messages are read.
    Read,
    /// What heals who is typing.
    Typing,
}

impl EventKind {
    /// All of them, in the order in which they are listed to clients.
    pub const ALL: [Self; 3] = [Self::Changes, Self::Read, Self::Typing];

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Read => "read",
            Self::Typing => "typing",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of kinds. As JSON the array of their names.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct EventKinds(u8);

impl EventKinds {
    /// Those that a comma-separated list names; other names mean nothing.
    pub fn from_list(list: &str) -> Self {
        list.split(',').filter_map(EventKind::from_name).collect()
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// With those of the other as well.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without those of the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those that are in the other too.
    #[must_use]
    pub fn among(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        let all = EventKind::ALL.into_iter();
        all.filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<EventKind> for EventKinds {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

impl Serialize for EventKinds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(EventKind::name))
    }
}

impl std::fmt::Debug for EventKinds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_kinds() {
        let names = |list: &str| {
            let kinds = EventKinds::from_list(list);
            kinds.iter().map(EventKind::name).collect::<Vec<_>>()
        };
        assert_eq!(names("typing,changes"), ["changes", "typing"]);
        assert_eq!(names("read,read,,x, changes"), ["read"]);
        assert!(names("").is_empty());
    }

    #[test]
    fn sets_are_put_together() {
        let [changes, read] = ["changes", "read"].map(EventKinds::from_list);
        let both = changes.and(read);
        assert!(both.contains(EventKind::Changes) && both.contains(EventKind::Read));
        assert!(!both.contains(EventKind::Typing));
        assert_eq!(both.among(read), read);
        assert!(changes.among(read).is_empty());
        assert_eq!(both.without(changes), read);
        assert_eq!(
            serde_json::to_string(&both).expect("JSON"),
            r#"["changes","read"]"#
        );
    }
}
