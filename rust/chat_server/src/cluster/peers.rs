//! How the hub tells the hubs of other processes.

use chat_cluster::{Channel, Cluster};
use chat_hub::{News, Notice, Peers, Profile};
use chat_protocol::Position;
use chat_protocol::ids::{RoomId, UserId};
use tokio::sync::mpsc;

use super::fetch::Wanted;
use super::wire::{self, ToAll, ToRoom};

#[derive(Debug)]
pub(crate) struct ClusterPeers {
    cluster: Cluster,
    want: mpsc::UnboundedSender<Wanted>,
}

impl ClusterPeers {
    pub(super) fn new(cluster: Cluster, want: mpsc::UnboundedSender<Wanted>) -> Self {
        Self { cluster, want }
    }
}

fn channel_of(room: RoomId) -> Channel {
    Channel::Numbered(i64::from(room.0))
}

impl Peers for ClusterPeers {
    fn listen(&self, room: RoomId, listens: bool) {
        let number = i64::from(room.0);
        if listens {
            self.cluster.subscribe(number);
        } else {
            self.cluster.unsubscribe(number);
        }
    }

    fn tell_presence(&self, room: RoomId, user: UserId, profile: Option<&Profile>) {
        let message = match profile {
            Some(profile) => ToAll::Present {
                room,
                profile: profile.into(),
            },
            None => ToAll::Absent { room, user },
        };
        self.cluster.send(Channel::All, wire::encode(&message));
    }

    fn tell(&self, room: RoomId, news: News<'_>) {
        let message = match news {
            News::Message(publication) => ToRoom::Message(publication.into()),
            News::Change(publication) => ToRoom::Change(publication.into()),
            News::Typing {
                author,
                is_typing,
                frame,
            } => ToRoom::Typing {
                author,
                is_typing,
                frame: frame.text_payload(),
            },
        };
        self.cluster.send(channel_of(room), wire::encode(&message));
    }

    fn tell_all(&self, notice: &Notice) {
        let message = ToAll::Notice(notice.into());
        self.cluster.send(Channel::All, wire::encode(&message));
    }

    fn fetch(&self, room: RoomId, behind: Position) {
        // Whoever does not take it any more is about to stop.
        let _ = self.want.send(Wanted { room, behind });
    }
}
