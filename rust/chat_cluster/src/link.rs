//! The connections to the server: one that sends, one that listens. Where either
//! breaks, both are made anew, so that there is one moment from which on everything
//! arrives again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{Client, RedisError, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::channel::{Channel, NodeId};
use crate::cluster::{Command, Event, Shared};
use crate::members::Members;
use crate::wire::{Said, decode, encode};

/// From one sign of life to the next.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Between two attempts to connect.
const RETRY: Duration = Duration::from_millis(500);
/// What the server may take for an answer; then it is taken for gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// Commands that go to the server at once.
const BATCH: usize = 512;

/// Both connections.
pub(crate) struct Connections {
    publisher: MultiplexedConnection,
    sink: PubSubSink,
    stream: PubSubStream,
}

/// # Errors
/// If the server refuses, or does not answer in time.
pub(crate) async fn connect(client: &Client) -> RedisResult<Connections> {
    let connecting = async {
        let publisher = client.get_multiplexed_async_connection().await?;
        let (sink, stream) = client.get_async_pubsub().await?.split();
        Ok(Connections {
            publisher,
            sink,
            stream,
        })
    };
    within_patience(connecting).await
}

async fn within_patience<T>(work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        let kind = redis::ErrorKind::Io;
        Err(RedisError::from((kind, "the server does not answer")))
    })
}

/// Serves the connections until the process leaves.
pub(crate) struct Link {
    client: Client,
    prefix: String,
    node: NodeId,
    queue: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    shared: Arc<Shared>,
    subscribed: HashSet<i64>,
    members: Members,
    ticks: Interval,
}

/// Why the connections are not served any more.
enum End {
    Broken(RedisError),
    Left(Option<oneshot::Sender<()>>),
}

impl From<RedisError> for End {
    fn from(error: RedisError) -> Self {
        Self::Broken(error)
    }
}

impl Link {
    pub(crate) fn new(
        client: Client,
        prefix: String,
        node: NodeId,
        queue: mpsc::UnboundedReceiver<Command>,
        events: mpsc::UnboundedSender<Event>,
        shared: Arc<Shared>,
    ) -> Self {
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            prefix,
            node,
            queue,
            events,
            shared,
            subscribed: HashSet::new(),
            members: Members::default(),
            ticks,
        }
    }

    pub(crate) async fn run(mut self, connections: Connections) {
        let mut connections = Some(connections);
        loop {
            let end = match connections.take() {
                Some(connections) => self.serve(connections).await,
                None => self.reconnect(&mut connections).await,
            };
            self.shared.is_connected.store(false, Ordering::Release);
            match end {
                Some(End::Left(done)) => {
                    drop(self);
                    if let Some(done) = done {
                        let _ = done.send(());
                    }
                    return;
                }
                Some(End::Broken(error)) => {
                    tracing::warn!(%error, "REDIS_URL: the connection to the other processes is lost");
                }
                None => {}
            }
        }
    }

    /// Tries it once; in between, what others are to know is lost, and time goes on.
    async fn reconnect(&mut self, connections: &mut Option<Connections>) -> Option<End> {
        let client = self.client.clone();
        let attempt = async move {
            sleep(RETRY).await;
            connect(&client).await
        };
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                attempted = &mut attempt => {
                    if let Ok(made) = attempted {
                        tracing::info!("REDIS_URL: connected to the other processes again");
                        *connections = Some(made);
                    }
                    return None;
                }
                command = self.queue.recv() => match command {
                    Some(Command::Send(_, payload)) => self.count_out(&payload),
                    Some(Command::Subscribe(number)) => { self.subscribed.insert(number); }
                    Some(Command::Unsubscribe(number)) => { self.subscribed.remove(&number); }
                    Some(Command::Leave(done)) => return Some(End::Left(Some(done))),
                    None => return Some(End::Left(None)),
                },
                _ = self.ticks.tick() => self.tick(),
            }
        }
    }

    async fn serve(&mut self, connections: Connections) -> Option<End> {
        let Connections {
            mut publisher,
            mut sink,
            mut stream,
        } = connections;
        if let Err(error) = self.begin(&mut sink).await {
            return Some(End::Broken(error));
        }
        let mut commands = Vec::with_capacity(BATCH);
        loop {
            let served = tokio::select! {
                message = stream.next() => match message {
                    Some(message) => {
                        self.hear(&message);
                        Ok(())
                    }
                    None => Err(End::Broken(RedisError::from((
                        redis::ErrorKind::Io,
                        "the server has closed the connection",
                    )))),
                },
                taken = self.queue.recv_many(&mut commands, BATCH) => match taken {
                    0 => Err(End::Left(None)),
                    _ => self.carry_out(&mut commands, &mut publisher, &mut sink).await,
                },
                _ = self.ticks.tick() => {
                    self.tick();
                    self.publish(&mut publisher, vec![(Channel::All, Said::Heartbeat)]).await
                }
            };
            if let Err(end) = served {
                return Some(end);
            }
        }
    }

    async fn begin(&mut self, sink: &mut PubSubSink) -> RedisResult<()> {
        let own = [Channel::All, Channel::Node(self.node)];
        let numbered = self.subscribed.iter().copied().map(Channel::Numbered);
        let names: Vec<String> = own
            .into_iter()
            .chain(numbered)
            .map(|channel| channel.name(&self.prefix))
            .collect();
        within_patience(sink.subscribe(names)).await?;
        self.shared.has_overflowed.store(false, Ordering::Release);
        self.shared.is_connected.store(true, Ordering::Release);
        self.tell(Event::Connected);
        Ok(())
    }

    /// In order; what goes to channels in a row goes in one trip.
    async fn carry_out(
        &mut self,
        commands: &mut Vec<Command>,
        publisher: &mut MultiplexedConnection,
        sink: &mut PubSubSink,
    ) -> Result<(), End> {
        let (mut sent, mut added, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        let mut left = None;
        for command in commands.drain(..) {
            match command {
                Command::Send(channel, payload) => {
                    self.count_out(&payload);
                    sent.push((channel, Said::Message(payload)));
                }
                Command::Subscribe(number) => {
                    if self.subscribed.insert(number) {
                        removed.retain(|other| *other != number);
                        added.push(number);
                    }
                }
                Command::Unsubscribe(number) => {
                    if self.subscribed.remove(&number) {
                        added.retain(|other| *other != number);
                        removed.push(number);
                    }
                }
                Command::Leave(done) => {
                    sent.push((Channel::All, Said::Goodbye));
                    left = Some(done);
                    break;
                }
            }
        }
        if !added.is_empty() {
            within_patience(sink.subscribe(self.names(added))).await?;
        }
        if !removed.is_empty() {
            within_patience(sink.unsubscribe(self.names(removed))).await?;
        }
        let published = self.publish(publisher, sent).await;
        match left {
            Some(done) => Err(End::Left(Some(done))),
            None => published,
        }
    }

    fn names(&self, numbers: Vec<i64>) -> Vec<String> {
        let channels = numbers.into_iter().map(Channel::Numbered);
        channels.map(|channel| channel.name(&self.prefix)).collect()
    }

    async fn publish(
        &mut self,
        publisher: &mut MultiplexedConnection,
        sent: Vec<(Channel, Said)>,
    ) -> Result<(), End> {
        if self.shared.has_overflowed.load(Ordering::Acquire) {
            // Made anew, so that the others ask for what they have missed.
            let text = "more waits to be sent than may";
            return Err(RedisError::from((redis::ErrorKind::Io, text)).into());
        }
        if sent.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for (channel, said) in sent {
            let payload = encode(self.node, &said);
            pipeline
                .publish(channel.name(&self.prefix), payload)
                .ignore();
        }
        Ok(within_patience(pipeline.exec_async(publisher)).await?)
    }

    fn hear(&mut self, message: &redis::Msg) {
        let Some((from, said)) = decode(message.get_payload_bytes().to_vec()) else {
            return;
        };
        if from == self.node {
            return;
        }
        if said == Said::Goodbye {
            if self.members.remove(from) {
                self.tell(Event::NodeGone(from));
            }
            return;
        }
        if self.members.heard_of(from) {
            self.tell(Event::NodeCame(from));
        }
        let Said::Message(payload) = said else {
            return;
        };
        if let Some(channel) = self.channel(message.get_channel_name()) {
            self.tell(Event::Message {
                from,
                channel,
                payload,
            });
        }
    }

    /// The channel of that name, if this process can listen to it.
    fn channel(&self, name: &str) -> Option<Channel> {
        let rest = name.strip_prefix(&self.prefix)?.strip_prefix(':')?;
        match rest.parse() {
            Ok(number) => Some(Channel::Numbered(number)),
            Err(_) if rest == "all" => Some(Channel::All),
            Err(_) => Some(Channel::Node(self.node)),
        }
    }

    fn tick(&mut self) {
        for node in self.members.tick() {
            self.tell(Event::NodeGone(node));
        }
    }

    fn tell(&self, event: Event) {
        // Whoever does not listen any more is about to leave.
        let _ = self.events.send(event);
    }

    fn count_out(&self, payload: &Bytes) {
        let waiting = &self.shared.waiting_bytes;
        waiting.fetch_sub(payload.len(), Ordering::AcqRel);
    }
}
