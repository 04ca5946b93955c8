//! The clock of a hub's only shard. Time there stands still but for what a test lets
//! pass, so half a minute takes none and nothing happens a moment too early.

use std::sync::Arc;
use std::time::Duration;

use chat_hub::{BridgeOutput, Connection, DisconnectReason, Hub, Link, NewConnection};
use tokio::sync::{mpsc, oneshot};

type Step = (Duration, oneshot::Sender<()>);

/// The hand of the clock.
pub(crate) struct Clock {
    steps: mpsc::UnboundedSender<Step>,
}

impl Clock {
    /// Stops the time of the shard. That is done where the shard's sessions run, so by
    /// one of them.
    pub(crate) async fn stop(hub: &Hub) -> Self {
        let (steps, orders) = mpsc::unbounded_channel();
        let new = NewConnection {
            link: Link::Bridge(Arc::new(BridgeOutput::new(|| {}))),
            heartbeat: None,
            session: Box::new(move |connection| {
                Box::pin(async move {
                    run(&connection, orders).await;
                    connection.disconnect(DisconnectReason::ClientClosed);
                    connection.finish().await;
                })
            }),
        };
        let attached = hub.attach(new, None, Vec::new(), None);
        attached.expect("the hub runs");
        let clock = Self { steps };
        clock.pass(Duration::ZERO).await;
        clock
    }

    /// Lets time pass; what is due then happens. Timers have steps of up to 50 ms, so
    /// what is due at exactly that time may not happen yet.
    pub(crate) async fn pass(&self, time: Duration) {
        let (done, passed) = oneshot::channel();
        self.steps.send((time, done)).expect("the clock runs");
        passed.await.expect("the clock runs");
    }
}

async fn run(connection: &Connection, mut orders: mpsc::UnboundedReceiver<Step>) {
    tokio::time::pause();
    // A paused clock goes on by itself to the next timer when there is nothing to do,
    // but not while something blocks.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let hold = tokio::task::spawn_blocking(move || held.recv());
    loop {
        let step = tokio::select! {
            step = orders.recv() => step,
            () = connection.closing() => None,
        };
        let Some((time, done)) = step else {
            break;
        };
        tokio::time::advance(time).await;
        let _ = done.send(());
    }
    drop(release);
    let _ = hold.await;
    tokio::time::resume();
}
