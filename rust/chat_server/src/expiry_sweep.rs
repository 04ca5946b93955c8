//! Closes, every second, the sockets whose token has expired. One look at each of
//! them costs less than a timer for each.

use std::time::Duration;

use chat_hub::Hub;
use tokio::time::MissedTickBehavior;

const INTERVAL: Duration = Duration::from_secs(1);

/// Runs until it is dropped.
pub(crate) async fn run(hub: Hub) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.disconnect_expired();
    }
}
