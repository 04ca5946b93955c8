//! A group, with the messages that are in it twice set aside: a statement cannot
//! claim a name twice.

use std::collections::HashMap;

use chat_protocol::ids::MessageId;

use super::{Found, Written};
use crate::error::DatabaseError;
use crate::models::Stored;
use crate::writer::{Outcome, Outcomes, Row, repeat};

pub(super) struct Group<'a> {
    rows: &'a [Row],
    /// For each row, which earlier one it repeats.
    repeated: Vec<Option<usize>>,
    /// The other rows, in their order.
    pub(super) distinct: Vec<&'a Row>,
}

impl<'a> Group<'a> {
    pub(super) fn new(rows: &'a [Row]) -> Self {
        let mut places = HashMap::new();
        let repeated: Vec<Option<usize>> = rows
            .iter()
            .enumerate()
            .map(|(place, row)| {
                let message = &row.message;
                let client_id = message.client_id.as_deref()?;
                let name = (message.sender_id, message.room_id, client_id);
                let first = *places.entry(name).or_insert(place);
                (first != place).then_some(first)
            })
            .collect();
        let distinct = rows
            .iter()
            .zip(&repeated)
            .filter_map(|(row, repeated)| repeated.is_none().then_some(row))
            .collect();
        Self {
            rows,
            repeated,
            distinct,
        }
    }

    /// From what became of the distinct rows. What repeats another row shares its
    /// fate.
    pub(super) fn into_outcomes(self, written: Vec<Written>, found: Found) -> Outcomes {
        let mut firsts = found.firsts.into_iter();
        let mut distinct =
            written.into_iter().map(|written| match written? {
                Some(id) => Ok(Outcome::New {
                    id: MessageId(id),
                    seq: found.seqs.get(&id).copied(),
                    created_at: found.times.get(&id).copied(),
                }),
                None => firsts.next().flatten().map(Outcome::Repeat).ok_or_else(|| {
                    DatabaseError::internal("a message that was stored before is gone")
                }),
            });
        let mut outcomes = Outcomes::with_capacity(self.rows.len());
        for repeated in self.repeated {
            let outcome = match repeated {
                Some(first) => again(&self.rows[first], &outcomes[first]),
                None => distinct
                    .next()
                    .unwrap_or_else(|| Err(DatabaseError::internal("a message was left out"))),
            };
            outcomes.push(outcome);
        }
        outcomes
    }
}

/// The outcome of `row` for another one that repeats it.
fn again(row: &Row, outcome: &Result<Outcome, DatabaseError>) -> Result<Outcome, DatabaseError> {
    match outcome {
        Ok(Outcome::New {
            id,
            seq,
            created_at,
        }) => Ok(Outcome::Repeat(Stored {
            id: *id,
            seq: *seq,
            created_at: created_at.unwrap_or(row.created_at),
            content: row.message.content.clone(),
            is_repeat: true,
        })),
        Ok(Outcome::Repeat(first)) => Ok(Outcome::Repeat(first.clone())),
        Err(error) => Err(repeat(error)),
    }
}
