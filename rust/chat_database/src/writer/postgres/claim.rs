//! The statement for messages some of which have names.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Nullable, Text};

use super::Row;
use super::insert::Columns;
use super::times::Times;
use crate::models::RECEIPT_LIFETIME;
use crate::timestamp::UtcTime;

/// Claims the names, stores the messages whose name could be claimed and those
/// without one, and answers the ids in the order of the rows: NULL for what was
/// stored before. No name may be among the rows twice.
pub(super) struct ClaimMessages<'a, T> {
    columns: Columns<'a>,
    times: PhantomData<T>,
    client_ids: Vec<Option<&'a str>>,
    /// Receipts that are older stand for nothing any more.
    oldest: Option<DateTime<Utc>>,
}

impl<'a, T> ClaimMessages<'a, T> {
    pub(super) fn new(rows: &[&'a Row]) -> Self {
        Self {
            columns: Columns::new(rows),
            times: PhantomData,
            client_ids: rows
                .iter()
                .map(|row| row.message.client_id.as_deref())
                .collect(),
            oldest: rows.first().map(|row| row.created_at - RECEIPT_LIFETIME),
        }
    }
}

impl<T: Times> QueryFragment<Pg> for ClaimMessages<'_, T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // The ids are given out in the order of the group, also to messages that
        // are then not stored; the names are claimed in their own order, so that
        // two groups never wait for each other.
        out.push_sql("WITH ");
        T::push_with(&self.columns.room_ids, false, &mut out)?;
        out.push_sql(
            "new AS MATERIALIZED (\
                 SELECT nextval((SELECT pg_get_serial_sequence('messages', 'id')::regclass))::integer \
                     AS id, ordered.* \
                 FROM (SELECT room_id, sender_id, content, file_id, ",
        );
        out.push_sql(T::EXPRESSION);
        out.push_sql(" AS created_at, client_id, position FROM unnest(");
        self.columns.push(&mut out)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.client_ids)?;
        out.push_sql(
            ") WITH ORDINALITY AS \
                     given (room_id, sender_id, content, file_id, created_at, client_id, position)",
        );
        out.push_sql(T::SOURCE);
        out.push_sql(
            " ORDER BY position) AS ordered\
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

impl<T> Query for ClaimMessages<'_, T> {
    type SqlType = Nullable<Integer>;
}

impl<T: Times> QueryId for ClaimMessages<'_, T> {
    type QueryId = ClaimMessages<'static, T::QueryId>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
