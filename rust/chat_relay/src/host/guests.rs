//! The clients of an edge in one of its epochs, each a bridge of this process.
//!
//! A task per client feeds its session; another one for all of them takes what they
//! get, so that what one client gets has one order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_cluster::{Channel, Cluster, NodeId};
use chat_compat::Request;
use chat_gateway::{BridgeFrame, BridgeInput};
use chat_hub::{BridgeOutput, OutputBatch};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::delivery::Delivery;
use super::{Systems, Wanted};
use crate::window::{FROM_CLIENT, TO_EDGE};
use crate::wire::{Envelope, Frame, Said, ToEdge, ToHome};

pub(super) struct Guests {
    edge: NodeId,
    epoch: u64,
    cluster: Cluster,
    /// How much has been said.
    sent: Mutex<u64>,
    connections: Mutex<HashMap<u64, Guest>>,
    woken: Arc<Woken>,
    /// What may still be delivered, see `window`.
    window: Semaphore,
    ended: CancellationToken,
}

struct Guest {
    /// To the session; the client is gone once this is dropped.
    frames: mpsc::Sender<BridgeFrame>,
    /// None until the edge has been told that it is served.
    output: Option<Arc<BridgeOutput>>,
    /// Its session takes no more.
    is_over: bool,
}

/// The connections for which there is something to take.
#[derive(Default)]
struct Woken {
    connections: Mutex<Vec<u64>>,
    notify: Notify,
}

impl Woken {
    fn wake(&self, connection: u64) {
        self.lock().push(connection);
        self.notify.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        // No code that can panic runs under the lock.
        let connections = &self.connections;
        connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    pub(super) fn new(edge: NodeId, epoch: u64, cluster: Cluster) -> Arc<Self> {
        let guests = Arc::new(Self {
            edge,
            epoch,
            cluster,
            sent: Mutex::default(),
            connections: Mutex::default(),
            woken: Arc::default(),
            window: TO_EDGE.open(),
            ended: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&guests).deliver());
        guests
    }

    /// All clients are gone.
    pub(super) fn end(&self) {
        self.ended.cancel();
        self.lock().clear();
    }

    pub(super) fn receive(self: &Arc<Self>, said: ToHome<'_>, systems: &Systems) {
        match said {
            ToHome::Begin => {}
            ToHome::Open { connection, socket } => self.open(connection, socket.into(), systems),
            ToHome::Frame { connection, frame } => self.take(connection, frame),
            ToHome::Closed { connection } => {
                self.lock().remove(&connection);
            }
            ToHome::Engine {
                request,
                asked,
                body,
            } => {
                let (guests, socket_io) = (Arc::clone(self), systems.socket_io.clone());
                let (path, method) = (asked.path.to_owned(), asked.method.to_owned());
                let (asked, body) = (asked.request(), body.0.to_vec());
                tokio::spawn(async move {
                    let answer = socket_io.request(&path, &method, asked, &body).await;
                    guests.say(ToEdge::EngineAnswer {
                        request,
                        answer: (&answer).into(),
                    });
                });
            }
            ToHome::Taken { cost } => TO_EDGE.report(&self.window, cost),
            ToHome::Abandon { asked } => systems.socket_io.abandon(asked.path, &asked.request()),
            ToHome::Compat { request, asked } => {
                let (guests, compat) = (Arc::clone(self), Arc::clone(&systems.compat));
                let asked = Request::from(asked);
                tokio::spawn(async move {
                    let answer = compat.handle(asked).await;
                    guests.say(ToEdge::CompatAnswer {
                        request,
                        answer: (&answer).into(),
                    });
                });
            }
        }
    }

    fn open(self: &Arc<Self>, id: u64, wanted: Wanted, systems: &Systems) {
        let (sender, frames) = mpsc::channel(FROM_CLIENT.max_messages());
        let guest = Guest {
            frames: sender,
            output: None,
            is_over: false,
        };
        self.lock().insert(id, guest);
        let (guests, systems) = (Arc::clone(self), systems.clone());
        tokio::spawn(async move {
            let woken = Arc::clone(&guests.woken);
            let output = Arc::new(BridgeOutput::new(move || woken.wake(id)));
            match systems.open(wanted, Arc::clone(&output)).await {
                Ok(input) => {
                    guests.opened(id, output);
                    guests.feed(id, frames, input).await;
                }
                Err(error) => {
                    guests.lock().remove(&id);
                    guests.say(ToEdge::Refused {
                        connection: id,
                        error,
                    });
                }
            }
        });
    }

    /// From here on the edge gets what is for this client.
    fn opened(&self, id: u64, output: Arc<BridgeOutput>) {
        let mut connections = self.lock();
        // Unless the client has gone again.
        if let Some(guest) = connections.get_mut(&id) {
            guest.output = Some(output);
            self.say(ToEdge::Opened { connection: id });
            drop(connections);
            self.woken.wake(id);
        }
    }

    /// Hands a session what its client sends, until either has ended.
    async fn feed(&self, id: u64, mut frames: mpsc::Receiver<BridgeFrame>, input: BridgeInput) {
        let mut taken = 0;
        loop {
            let frame = tokio::select! {
                frame = frames.recv() => frame,
                () = input.closed() => {
                    if let Some(guest) = self.lock().get_mut(&id) {
                        guest.is_over = true;
                    }
                    return self.woken.wake(id);
                }
            };
            taken += match frame {
                None => return,
                Some(BridgeFrame::Text(text)) => {
                    let cost = FROM_CLIENT.cost(text.len());
                    input.send_text(text).await;
                    cost
                }
                Some(BridgeFrame::Binary(payload)) => {
                    let cost = FROM_CLIENT.cost(payload.len());
                    input.send_binary(payload).await;
                    cost
                }
            };
            if FROM_CLIENT.is_to_be_reported(taken) {
                let cost = std::mem::take(&mut taken);
                self.say(ToEdge::Taken {
                    connection: id,
                    cost,
                });
            }
        }
    }

    fn take(&self, id: u64, frame: Frame<'_>) {
        let frame = match frame {
            Frame::Text(text) => BridgeFrame::Text(text.to_owned()),
            Frame::Binary(payload) => BridgeFrame::Binary(payload.0.to_vec()),
        };
        let mut connections = self.lock();
        let Some(guest) = connections.get(&id) else {
            return;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = guest.frames.try_send(frame) {
            // An edge lets no client send more than fits.
            connections.remove(&id);
            self.say(ToEdge::Ended {
                connection: id,
                close: None,
            });
        }
    }

    /// Takes what clients get, as it comes, and sends it to the edge; until that is over.
    async fn deliver(self: Arc<Self>) {
        let delivering = async {
            loop {
                self.woken.notify.notified().await;
                // Those who give out something to many are about to wake more.
                tokio::task::yield_now().await;
                let woken = std::mem::take(&mut *self.woken.lock());
                self.deliver_to(woken).await;
            }
        };
        self.ended.run_until_cancelled(delivering).await;
    }

    async fn deliver_to(&self, woken: Vec<u64>) {
        let mut delivery = Delivery::default();
        for id in woken {
            let Some((batch, is_over)) = self.take_output(id) else {
                continue;
            };
            delivery.add(id, batch.frames);
            if is_over || delivery.is_large() {
                self.send(std::mem::take(&mut delivery)).await;
            }
            if is_over {
                self.say(ToEdge::Ended {
                    connection: id,
                    close: batch.close,
                });
            }
        }
        self.send(delivery).await;
    }

    /// What there is for a client, and whether it is the last of it.
    fn take_output(&self, id: u64) -> Option<(OutputBatch, bool)> {
        let mut connections = self.lock();
        let guest = connections.get(&id)?;
        let batch = guest.output.as_ref()?.take();
        let is_over = guest.is_over || batch.close.is_some();
        if is_over {
            connections.remove(&id);
        }
        Some((batch, is_over))
    }

    /// Waits while the edge is behind.
    async fn send(&self, delivery: Delivery) {
        if delivery.is_empty() {
            return;
        }
        let cost = TO_EDGE.cost(delivery.bytes());
        // The semaphore is never closed.
        if let Ok(place) = self.window.acquire_many(cost).await {
            place.forget();
        }
        delivery.send(|delivery| self.say(delivery));
    }

    fn say(&self, said: ToEdge<'_>) {
        if self.ended.is_cancelled() {
            return;
        }
        // No code that can panic runs under the lock.
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let envelope = Envelope {
            epoch: self.epoch,
            number: *sent,
            said: Said::ToEdge(said),
        };
        self.cluster
            .send(Channel::Node(self.edge), envelope.encode());
        *sent += 1;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Guest>> {
        // No code that can panic runs under the lock.
        let connections = &self.connections;
        connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
