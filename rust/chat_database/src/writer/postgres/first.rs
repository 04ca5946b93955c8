//! The messages that names stand for already.

use chat_protocol::ids::MessageId;
use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Row;
use crate::models::{Int, Stored};
use crate::timestamp::UtcTime;

type FirstMessage = (i64, Int, Option<i64>, DateTime<Utc>, String);

/// For each row the message that its name stands for; none if it is gone.
pub(super) async fn find_firsts(
    connection: &mut AsyncPgConnection,
    rows: &[&Row],
) -> QueryResult<Vec<Option<Stored>>> {
    let mut firsts = vec![None; rows.len()];
    let found: Vec<FirstMessage> = FindFirstMessages::new(rows).load(connection).await?;
    for (place, Int(id), seq, created_at, content) in found {
        let first = usize::try_from(place)
            .ok()
            .and_then(|place| firsts.get_mut(place));
        if let Some(first) = first {
            *first = Some(Stored {
                id: MessageId(id),
                seq,
                created_at,
                content,
                is_repeat: true,
            });
        }
    }
    Ok(firsts)
}

struct FindFirstMessages<'a> {
    sender_ids: Vec<i32>,
    room_ids: Vec<i32>,
    client_ids: Vec<Option<&'a str>>,
}

impl<'a> FindFirstMessages<'a> {
    fn new(rows: &[&'a Row]) -> Self {
        let messages = || rows.iter().map(|row| &row.message);
        Self {
            sender_ids: messages().map(|message| message.sender_id.0).collect(),
            room_ids: messages().map(|message| message.room_id.0).collect(),
            client_ids: messages()
                .map(|message| message.client_id.as_deref())
                .collect(),
        }
    }
}

impl QueryFragment<Pg> for FindFirstMessages<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT given.position - 1, messages.id, message_sequence.seq, receipt.created_at, \
                 messages.content \
             FROM unnest(",
        );
        out.push_bind_param::<Array<Integer>, _>(&self.sender_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Integer>, _>(&self.room_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.client_ids)?;
        out.push_sql(
            ") WITH ORDINALITY AS given (sender_id, room_id, client_id, position) \
             JOIN message_receipts AS receipt USING (sender_id, room_id, client_id) \
             JOIN messages ON messages.id = receipt.message_id \
             LEFT JOIN message_sequence ON message_sequence.message_id = messages.id",
        );
        Ok(())
    }
}

impl Query for FindFirstMessages<'_> {
    type SqlType = (BigInt, Integer, Nullable<BigInt>, UtcTime, Text);
}

impl QueryId for FindFirstMessages<'_> {
    type QueryId = FindFirstMessages<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}
