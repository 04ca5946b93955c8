//! Refuses connection poolers in transaction (or statement) mode.
//!
//! Such a pooler gives each transaction to whatever server session is free.
//! Prepared statements and session locks, which this crate lives on, would
//! fail now and then, under load; so it is found out once, at the start.

use tokio_postgres::{Client, SimpleQueryMessage};

use super::connect::Connector;
use crate::error::DatabaseError;

/// Who asks, one question after the other. The order is irregular so that a
/// pooler that hands out its sessions in turn cannot give each of the two the
/// same one every time.
const QUESTIONS: [Asker; 12] = {
    use Asker::{First, Second};
    [
        First, Second, Second, First, First, First, Second, First, Second, Second, Second, First,
    ]
};

#[derive(Clone, Copy)]
enum Asker {
    First,
    Second,
}

/// Checks that a connection is one and the same server session throughout.
///
/// # Errors
/// [`DatabaseError::TransactionPooler`] if it is not; otherwise as
/// [`Connector::open_client`].
pub(crate) async fn refuse_transaction_pooler(connector: &Connector) -> Result<(), DatabaseError> {
    let first = connector.open_client().await?;
    let second = connector.open_client().await?;
    let mut first_session = None;
    let mut second_session = None;
    for asker in QUESTIONS {
        let (client, own, other) = match asker {
            Asker::First => (&first, &mut first_session, &second_session),
            Asker::Second => (&second, &mut second_session, &first_session),
        };
        let session = session_id(client).await?;
        let has_changed = own.as_ref().is_some_and(|known| *known != session);
        let is_shared = other.as_ref().is_some_and(|known| *known == session);
        if has_changed || is_shared {
            return Err(DatabaseError::TransactionPooler);
        }
        *own = Some(session);
    }
    Ok(())
}

/// The server process behind the connection, asked without a prepared
/// statement: that is what such a pooler would break.
async fn session_id(client: &Client) -> Result<String, DatabaseError> {
    let answer = client.simple_query("select pg_backend_pid()").await?;
    answer
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .ok_or_else(|| DatabaseError::internal("the server does not tell its process id"))
}
