//! Identifier newtypes shared by every crate.
//!
//! All ids are the `integer` keys of the database (32 bits, positive). A number
//! that does not fit names nothing, so conversion from a client's number is
//! fallible and callers answer "not found".

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("minimum" = 1)))]
        #[serde(transparent)]
        pub struct $name(pub i32);

        impl $name {
            /// The id a client's number stands for; none for zero, negative and
            /// over-large numbers, which no row has.
            pub fn from_client(number: i64) -> Option<Self> {
                i32::try_from(number).ok().filter(|id| *id > 0).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id!(
    /// `users.id`.
    UserId
);
id!(
    /// `rooms.id`.
    RoomId
);
id!(
    /// `messages.id`.
    MessageId
);
id!(
    /// `file_uploads.id`.
    FileId
);

/// The place of a message among those of its room: from 1, without gaps, in the
/// order in which they were stored. Zero is the place before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("minimum" = 0)))]
#[serde(transparent)]
pub struct Seq(pub i64);

impl Seq {
    /// The place a client's number stands for; none for a negative one.
    pub fn from_client(number: i64) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }

    /// The next place.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The place of a change among those of the messages of its room: from 1, without
/// gaps, in the order in which they were stored. Zero is the place before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("minimum" = 0)))]
#[serde(transparent)]
pub struct Change(pub i64);

impl Change {
    /// The place a client's number stands for; none for a negative one.
    pub fn from_client(number: i64) -> Option<Self> {
        (number >= 0).then_some(Self(number))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
