//! Which database it is, however it is addressed.

use tokio_postgres::SimpleQueryMessage;

use super::connect::Connector;
use crate::error::DatabaseError;

/// What tells clusters of PostgreSQL apart: made when the cluster was. Hidden from some
/// roles of some providers.
const SYSTEM: &str = "select system_identifier from pg_control_system()";
const DATABASE: &str = "select oid from pg_database where datname = current_database()";

/// A name that every session on this database finds, and none on another one of the same
/// server.
///
/// # Errors
/// As [`Connector::open_client`].
pub(crate) async fn identity(connector: &Connector) -> Result<String, DatabaseError> {
    let client = connector.open_client().await?;
    let mut name = "postgres".to_owned();
    for query in [SYSTEM, DATABASE] {
        let answer = match client.simple_query(query).await {
            Ok(answer) => answer,
            Err(_) if query == SYSTEM => continue,
            Err(error) => return Err(error.into()),
        };
        let value = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        name = format!("{name}:{}", value.unwrap_or_default());
    }
    Ok(name)
}
