//! Which connections are told what their user reads elsewhere.

use chat_protocol::ids::UserId;
use chat_protocol::{EncodedFrame, EventKind, EventKinds};

use super::Registry;
use crate::connection::ConnectionRef;

impl Registry {
    /// From now on the connection is told, if it has asked for that among `events`.
    pub(super) fn tell_of_reads(&self, user: UserId, to: ConnectionRef, events: EventKinds) {
        if events.contains(EventKind::Read)
            && let Some(mut user) = self.users.get_mut(&user)
        {
            user.told_of_reads.push(to);
        }
    }

    /// The end of a connection that had asked for these events.
    pub(super) fn tell_no_more_of_reads(
        &self,
        user: UserId,
        connection: ConnectionRef,
        events: EventKinds,
    ) {
        if events.contains(EventKind::Read)
            && let Some(mut user) = self.users.get_mut(&user)
        {
            user.told_of_reads.retain(|other| *other != connection);
        }
    }

    /// See `Hub::publish_read`.
    pub(crate) fn publish_read(
        &self,
        user: UserId,
        frame: &EncodedFrame,
        except: Option<ConnectionRef>,
    ) {
        let told = self
            .users
            .get(&user)
            .map(|user| user.told_of_reads.clone())
            .unwrap_or_default();
        for to in told {
            if Some(to) != except {
                self.reply(to, frame.clone());
            }
        }
    }
}
