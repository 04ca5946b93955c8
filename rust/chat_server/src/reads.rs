//! How far users have read: markers that move forward only.
//!
//! Clients that scroll say it many times a second. What sockets say gathers, per user
//! and room, for a quarter of a second; then one statement moves all markers, and the
//! other sockets of each user are told, behind the commit. What REST says is written at
//! once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chat_database::{ReadClaims, ReadOutcome, Reading};
use chat_gateway::ReadError;
use chat_hub::ConnectionRef;
use chat_protocol::ServerFrame;
use chat_protocol::ids::{RoomId, Seq, UserId};
use serde::Serialize;
use tokio::sync::Notify;

use crate::accounts::Identity;
use crate::answers::{ReadingAnswer, to_json};
use crate::chat::Chat;
use crate::error::{ServiceError, read_error};

/// From one group of markers to the next.
const GAP: Duration = Duration::from_millis(250);
/// Markers moved by one statement; a message to be stored waits for it at most.
const GROUP_LENGTH: usize = 256;
/// Of what one user says about one room meanwhile: the highest. More than one, because
/// a place that the room does not have must not hide one that it has.
const MAX_CLAIMS: usize = 8;

/// What sockets have said and is not stored yet.
#[derive(Debug, Default)]
pub(crate) struct ReadMarkers {
    waiting: Mutex<HashMap<(UserId, RoomId), Vec<Claim>>>,
    gathered: Notify,
    /// Held while markers are moved and told, so that what is told moves forward too.
    moving: tokio::sync::Mutex<()>,
}

/// A place up to which somebody says to have read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    seq: Seq,
    /// None over REST.
    from: Option<ConnectionRef>,
}

/// The claims of a user about a room.
struct Claims {
    user: UserId,
    room: RoomId,
    claims: Vec<Claim>,
}

impl ReadMarkers {
    fn gather(&self, user: UserId, room: RoomId, claim: Claim) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = waiting.is_empty();
        add(waiting.entry((user, room)).or_default(), claim);
        drop(waiting);
        if is_first {
            self.gathered.notify_one();
        }
    }

    fn take(&self) -> Vec<Claims> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *waiting).into_iter();
        taken
            .map(|((user, room), claims)| Claims { user, room, claims })
            .collect()
    }
}

/// Keeps the highest claims; of equal ones the first.
fn add(claims: &mut Vec<Claim>, claim: Claim) {
    if claims.iter().any(|other| other.seq == claim.seq) {
        return;
    }
    let lowest = claims.iter().enumerate().min_by_key(|(_, other)| other.seq);
    match lowest {
        Some((index, lowest)) if claims.len() == MAX_CLAIMS => {
            if lowest.seq < claim.seq {
                claims[index] = claim;
            }
        }
        _ => claims.push(claim),
    }
}

/// Moves what gathers; runs until it is dropped.
pub(crate) async fn run(chat: std::sync::Arc<Chat>) {
    loop {
        chat.reads.gathered.notified().await;
        chat.flush_reads().await;
        tokio::time::sleep(GAP).await;
    }
}

#[derive(Serialize)]
struct RoomReadingAnswer {
    room_id: RoomId,
    #[serde(flatten)]
    reading: ReadingAnswer,
}

impl Chat {
    /// What a socket says; stored soon.
    pub(crate) fn gather_read(&self, user: UserId, room: RoomId, seq: Seq, from: ConnectionRef) {
        if self.database.knows_reading() {
            let from = Some(from);
            self.reads.gather(user, room, Claim { seq, from });
        } else {
            self.hub.reply(from, ReadError::NotKnown.frame());
        }
    }

    /// Stores what was said so far.
    pub(crate) async fn flush_reads(&self) {
        let _moving = self.reads.moving.lock().await;
        let gathered = self.reads.take();
        for group in gathered.chunks(GROUP_LENGTH) {
            match self.move_markers(group).await {
                Ok(outcomes) => {
                    for (claims, outcome) in group.iter().zip(outcomes) {
                        refuse(self, claims, |claim| {
                            let last = Seq(outcome.last_seq);
                            (claim.seq > last).then_some(ReadError::BeyondRoom { last })
                        });
                    }
                }
                Err(error) => {
                    let error = read_error(&error);
                    for claims in group {
                        refuse(self, claims, |_| Some(error));
                    }
                }
            }
        }
    }

    /// Says that the caller has read the room up to a place; gives how far the caller
    /// has read now.
    ///
    /// # Errors
    /// `RoomNotFound`, `RoomAccessDenied`, `ReadingNotKnown`; `PlaceBeyondRoom` for a place
    /// that the room does not have.
    pub async fn mark_read(
        &self,
        identity: &Identity,
        room_id: i64,
        seq: i64,
    ) -> Result<Vec<u8>, ServiceError> {
        let user = identity.user_id();
        let room = self.accessible_room(room_id, user).await?.room.id;
        let claim = Claim {
            seq: Seq(seq),
            from: None,
        };
        let group = [Claims {
            user,
            room,
            claims: vec![claim],
        }];
        let moving = self.reads.moving.lock().await;
        let outcomes = self.move_markers(&group).await?;
        drop(moving);
        for outcome in outcomes {
            if seq > outcome.last_seq {
                return Err(ServiceError::PlaceBeyondRoom {
                    last: outcome.last_seq,
                });
            }
        }
        let reading = self.database.find_reading(user, room).await?;
        let reading = reading.ok_or(ServiceError::ReadingNotKnown)?;
        Ok(to_json(&RoomReadingAnswer {
            room_id: room,
            reading: reading.into(),
        }))
    }

    /// Moves the markers, and tells the other sockets of their users.
    async fn move_markers(&self, group: &[Claims]) -> Result<Vec<ReadOutcome>, ServiceError> {
        let claims = group.iter().map(|claims| ReadClaims {
            user: claims.user,
            room: claims.room,
            seqs: claims.claims.iter().map(|claim| claim.seq.0).collect(),
        });
        let outcomes = self.database.advance_read_markers(claims.collect()).await?;
        let outcomes = outcomes.ok_or(ServiceError::ReadingNotKnown)?;
        for (claims, outcome) in group.iter().zip(&outcomes) {
            if let Some(last_read_seq) = outcome.moved_to {
                let reading = Reading {
                    last_seq: outcome.last_seq,
                    last_read_seq,
                };
                self.tell_read(claims, reading);
            }
        }
        Ok(outcomes)
    }

    fn tell_read(&self, claims: &Claims, reading: Reading) {
        let seq = Seq(reading.last_read_seq);
        let frame = ServerFrame::Read {
            room_id: claims.room,
            seq,
            unread_count: reading.unread(),
        };
        let moved_by = claims.claims.iter().find(|claim| claim.seq == seq);
        let from = moved_by.and_then(|claim| claim.from);
        self.hub.publish_read(claims.user, &frame.encode(), from);
    }
}

/// Tells the sockets of those claims for which there is an error.
fn refuse(chat: &Chat, claims: &Claims, error: impl Fn(&Claim) -> Option<ReadError>) {
    for claim in &claims.claims {
        if let (Some(from), Some(error)) = (claim.from, error(claim)) {
            chat.hub.reply(from, error.frame());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_claims_are_kept() {
        let mut claims = Vec::new();
        for seq in [3, 1, 3, 100, 5, 4, 9, 8, 7, 6, 2, 50, 1] {
            let from = None;
            add(
                &mut claims,
                Claim {
                    seq: Seq(seq),
                    from,
                },
            );
        }
        let mut kept: Vec<i64> = claims.iter().map(|claim| claim.seq.0).collect();
        kept.sort_unstable();
        assert_eq!(kept, [4, 5, 6, 7, 8, 9, 50, 100]);
    }
}
