//! The statement for messages some of which have names.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text};

use super::Row;
use super::insert::Columns;
use crate::models::RECEIPT_LIFETIME;
use crate::timestamp::UtcTime;

/// Claims the names, stores the messages whose name could be claimed and those
/// without one, and answers the ids in the order of the rows: NULL for what was
/// stored before. No name may be among the rows twice.
pub(super) struct ClaimMessages<'a> {
    columns: Columns<'a>,
    client_ids: Vec<Option<&'a str>>,
    /// Receipts that are older stand for nothing any more.
    oldest: Option<DateTime<Utc>>,
}

impl<'a> ClaimMessages<'a> {
    pub(super) fn new(rows: &[&'a Row]) -> Self {
        Self {
            columns: Columns::new(rows),
            client_ids: rows
                .iter()
                .map(|row| row.message.client_id.as_deref())
                .collect(),
            oldest: rows.first().map(|row| row.created_at - RECEIPT_LIFETIME),
        }
    }
}

impl QueryFragment<Pg> for ClaimMessages<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // The ids are given out in the order of the group, also to messages that
        // are then not stored; the names are claimed in their own order, so that
        // two groups never wait for each other.
        out.push_sql(
            "WITH new AS MATERIALIZED (\
                 SELECT nextval((SELECT pg_get_serial_sequence('messages', 'id')::regclass))::integer \
                     AS id, given.* \
                 FROM (SELECT * FROM unnest(",
        );
        self.columns.push(&mut out)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.client_ids)?;
        out.push_sql(
            ") WITH ORDINALITY AS \
                     given (room_id, sender_id, content, file_id, created_at, client_id, position) \
                     ORDER BY position) AS given\
             ), claimed AS (\
                 INSERT INTO message_receipts AS receipt \
                     (sender_id, room_id, client_id, message_id, created_at) \
                 SELECT sender_id, room_id, client_id, id, created_at FROM new \
                 WHERE client_id IS NOT NULL ORDER BY sender_id, room_id, client_id \
                 ON CONFLICT (sender_id, room_id, client_id) DO UPDATE \
                 SET message_id = excluded.message_id, created_at = excluded.created_at \
                 WHERE receipt.created_at < ",
        );
        out.push_bind_param::<Nullable<UtcTime>, _>(&self.oldest)?;
        out.push_sql(
            " RETURNING message_id\
             ), stored AS (\
                 INSERT INTO messages (id, room_id, sender_id, content, file_id, created_at) \
                 SELECT id, room_id, sender_id, content, file_id, created_at FROM new \
                 WHERE client_id IS NULL OR id IN (SELECT message_id FROM claimed) \
                 ORDER BY id RETURNING id\
             ) \
             SELECT stored.id FROM new LEFT JOIN stored ON stored.id = new.id ORDER BY new.position",
        );
        Ok(())
    }
}

impl Query for ClaimMessages<'_> {
    type SqlType = Nullable<Integer>;
}

impl QueryId for ClaimMessages<'_> {
    type QueryId = ClaimMessages<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
