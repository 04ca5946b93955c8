//! This process among those that serve the same database (`REDIS_URL`).
//!
//! What is published here goes to the processes that have readers of the room, and what
//! they publish comes here; the hub lines both up by the numbers of the database
//! (`chat_hub/src/line.rs`). Who is in which room every process knows of all others.
//! Messages between processes may get lost: `fetch` brings what is missing from the
//! database, presences are said again whenever that may have happened.
//!
//! What is live of the sibling systems lives at one of the processes (`home`), which serves
//! the others' clients through `chat_relay`.

mod fetch;
mod home;
mod peers;
mod presences;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_cluster::{Channel, Cluster, ClusterConfig, ClusterError, Event, NodeId};
use chat_database::Database;
use chat_hub::Hub;
use chat_relay::{Home, Relay};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::fetch::{Fetcher, Wanted};
use self::home::HomeView;
use self::peers::ClusterPeers;
use self::presences::Presences;
use self::wire::{ToAll, ToRoom};
use crate::chat::Chat;
use crate::error::ServiceError;

/// How long questions gather before presences are said again: processes that come ask
/// more than once.
const ANSWER_GAP: Duration = Duration::from_millis(50);

/// How long the server may take to be there when this process starts.
const START_PATIENCE: Duration = Duration::from_secs(5);
const START_RETRY: Duration = Duration::from_millis(250);
/// How long this process waits at its start to know where the sibling systems live.
const HOME_PATIENCE: Duration = Duration::from_secs(2);

/// The membership of this process, from its start to its end.
#[derive(Debug)]
pub(crate) struct Membership {
    cluster: Cluster,
    events: mpsc::UnboundedReceiver<Event>,
    wanted: mpsc::UnboundedReceiver<Wanted>,
    peers: Arc<ClusterPeers>,
}

impl Membership {
    /// Connects to the other processes of the database; none, if nobody could.
    ///
    /// # Errors
    /// If the URL is none, or the database cannot be asked.
    pub(crate) async fn begin(
        url: SecretString,
        database: &Database,
    ) -> Result<Option<Self>, ServiceError> {
        let name = database.identity().await?;
        let config = ClusterConfig { url, name };
        let deadline = Instant::now() + START_PATIENCE;
        let (cluster, events) = loop {
            match Cluster::join(config.clone()).await {
                Ok(joined) => break joined,
                Err(ClusterError::Unreachable(reason)) if Instant::now() > deadline => {
                    tracing::warn!(
                        reason,
                        "REDIS_URL: the server cannot be reached; this process serves the database alone"
                    );
                    return Ok(None);
                }
                Err(ClusterError::Unreachable(_)) => sleep(START_RETRY).await,
                Err(error) => return Err(error.into()),
            }
        };
        let (want, wanted) = mpsc::unbounded_channel();
        let peers = Arc::new(ClusterPeers::new(cluster.clone(), want));
        Ok(Some(Self {
            cluster,
            events,
            wanted,
            peers,
        }))
    }

    /// What the hub tells the others with.
    pub(crate) fn peers(&self) -> Arc<ClusterPeers> {
        Arc::clone(&self.peers)
    }

    pub(crate) fn cluster(&self) -> Cluster {
        self.cluster.clone()
    }

    /// Serves until the service stops. Done when it is known where the sibling systems
    /// live, or nobody has said so for a while.
    pub(crate) async fn run(self, chat: &Arc<Chat>, relay: Relay, stopped: &CancellationToken) {
        let fetcher = Fetcher::new(Arc::clone(chat), self.wanted);
        tokio::spawn(stopped.clone().run_until_cancelled_owned(fetcher.run()));
        let (held, is_held) = mpsc::unbounded_channel();
        let claim = home::claim(chat.database.clone(), held);
        tokio::spawn(stopped.clone().run_until_cancelled_owned(claim));
        let (known, mut is_known) = watch::channel(false);
        let listener = Listener {
            relay,
            home: HomeView::default(),
            is_held,
            known,
            hub: chat.hub.clone(),
            presences: Presences::new(chat.hub.clone()),
            cluster: self.cluster,
            answer_at: None,
        };
        let listening = listener.run(self.events);
        tokio::spawn(stopped.clone().run_until_cancelled_owned(listening));
        let known = is_known.wait_for(|is_known| *is_known);
        if timeout(HOME_PATIENCE, known).await.is_err() {
            tracing::warn!(
                "nobody says where the sibling systems live; they are not available yet"
            );
        }
    }
}

/// Does what the other processes say.
struct Listener {
    cluster: Cluster,
    relay: Relay,
    home: HomeView,
    is_held: mpsc::UnboundedReceiver<bool>,
    /// Whether there is a home.
    known: watch::Sender<bool>,
    hub: Hub,
    presences: Presences,
    /// When to say who is here.
    answer_at: Option<Instant>,
}

impl Listener {
    async fn run(mut self, mut events: mpsc::UnboundedReceiver<Event>) {
        loop {
            let answer_at = self.answer_at;
            let answer = async {
                match answer_at {
                    Some(time) => sleep_until(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.take(event),
                    None => return,
                },
                Some(is_held) = self.is_held.recv() => {
                    self.home.held(is_held);
                    self.home_changed();
                    if is_held {
                        self.send(&ToAll::Home);
                    }
                }
                () = answer => {
                    self.answer_at = None;
                    self.say_who_is_here();
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.relay.on_connected();
                self.ask();
                self.answer_soon();
            }
            Event::NodeCame(node) => {
                tracing::info!(%node, "another process of the service is there");
                self.ask();
            }
            Event::NodeGone(node) => {
                tracing::info!(%node, "another process of the service is gone");
                self.presences.node_gone(node);
                self.relay.on_node_gone(node);
                self.home.gone(node);
                self.home_changed();
            }
            Event::Message {
                from,
                channel,
                payload,
            } => match channel {
                Channel::All => self.hear(from, &payload),
                Channel::Numbered(room) => self.hear_in_room(room, &payload),
                Channel::Node(_) => self.relay.on_message(from, &payload),
            },
        }
    }

    fn home_changed(&self) {
        let home = self.home.current();
        self.relay.set_home(home);
        self.known.send_replace(home != Home::Unknown);
    }

    /// Asks the others who is with them.
    fn ask(&self) {
        self.send(&ToAll::WhoIsThere);
    }

    fn answer_soon(&mut self) {
        self.answer_at
            .get_or_insert_with(|| Instant::now() + ANSWER_GAP);
    }

    fn say_who_is_here(&self) {
        if self.home.current() == Home::This {
            self.send(&ToAll::Home);
        }
        self.send(&ToAll::AllPresences);
        self.hub.tell_presences();
        self.send(&ToAll::PresencesEnd);
    }

    fn send(&self, message: &ToAll) {
        self.cluster.send(Channel::All, wire::encode(message));
    }

    fn hear(&mut self, from: NodeId, payload: &Bytes) {
        match wire::decode(payload) {
            Some(ToAll::WhoIsThere) => self.answer_soon(),
            Some(ToAll::Home) => {
                if self.home.announced(from) {
                    self.send(&ToAll::Home);
                }
                self.home_changed();
            }
            Some(ToAll::AllPresences) => self.presences.begin_anew(from),
            Some(ToAll::PresencesEnd) => self.presences.end(from),
            Some(ToAll::Present { room, profile }) => {
                self.presences.arrived(from, room, profile.into());
            }
            Some(ToAll::Absent { room, user }) => self.presences.left(from, room, user),
            Some(ToAll::Notice(notice)) => self.hub.hear_notice(notice.into()),
            None => {}
        }
    }

    fn hear_in_room(&self, room: i64, payload: &Bytes) {
        let Some(room) = chat_protocol::ids::RoomId::from_client(room) else {
            return;
        };
        match wire::decode(payload) {
            Some(ToRoom::Message(message)) => self.hub.hear_message(room, message.into()),
            Some(ToRoom::Change(change)) => self.hub.hear_change(room, change.into()),
            Some(ToRoom::Typing {
                author,
                is_typing,
                frame,
            }) => self
                .hub
                .hear_typing(room, author, is_typing, wire::frame(frame)),
            None => {}
        }
    }
}
