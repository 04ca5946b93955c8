//! Sockets that do nothing, so that the driver can look at the server's memory.

use std::rc::Rc;

use serde::Serialize;

use crate::config::IdlePlan;
use crate::error::BenchError;
use crate::ledger::Ledger;
use crate::sockets::Sockets;

#[derive(Debug, Serialize)]
struct Settled {
    sockets: usize,
}

/// Connects, reports when everything has gone quiet, and stays until standard
/// input ends.
pub(crate) async fn run(plan: &IdlePlan) -> Result<(), BenchError> {
    let ledger = Rc::new(Ledger::new(plan.urls.len()));
    let sockets = Sockets::connect(&plan.urls, &ledger).await?;
    ledger.wait_quiet().await?;
    crate::report(&Settled {
        sockets: plan.urls.len(),
    })?;
    // A blocking read, so it must not hold up the answers to the server's pings.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    drop(sockets);
    // Fails if a socket was lost while it should have been open.
    ledger.wait_quiet().await
}
