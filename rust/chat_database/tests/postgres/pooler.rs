//! Poolers in transaction mode are found out, whatever their strategy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::TcpStream;

use crate::fake_server::{listen, serve_as_pooler};
use crate::fixture::open;

/// The code that opening a database through a pooler ends with.
async fn code_through(
    sessions: impl Fn(&TcpStream) -> Arc<dyn Fn() -> u32 + Send + Sync> + Send + 'static,
) -> String {
    let port = listen(move |client| {
        let session = sessions(&client);
        serve_as_pooler(client, session)
    })
    .await;
    let error = open(&format!("postgresql://u:p@127.0.0.1:{port}/d"))
        .await
        .expect_err("a fake is no database");
    if error.code() == "transaction_pooler" {
        let report = error.report();
        assert!(report.contains("session pooler"), "{report}");
        assert!(report.contains("5432"), "{report}");
    }
    error.code().to_owned()
}

#[tokio::test]
async fn one_session_for_everybody_is_refused() {
    assert_eq!(code_through(|_| Arc::new(|| 7)).await, "transaction_pooler");
}

#[tokio::test]
async fn sessions_in_turn_are_refused() {
    for count in 2..=6 {
        let code = code_through(move |_| {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            Arc::new(move || NEXT.fetch_add(1, Ordering::SeqCst) % count)
        })
        .await;
        assert_eq!(code, "transaction_pooler", "{count} sessions");
    }
}

#[tokio::test]
async fn a_session_per_client_is_let_through() {
    // The port tells the clients apart. The fake cannot do more than let
    // itself be asked, so what follows fails in another way.
    let code = code_through(|client| {
        let session = client.peer_addr().expect("a peer").port().into();
        Arc::new(move || session)
    })
    .await;
    assert_eq!(code, "database_unavailable");
}
