//! A room's history in pages: page 1 is the newest, within a page oldest first.

use chat_database::Page;
use chat_database::compat::System;
use serde::Serialize;

use super::answers::MessageAnswer;
use super::error::RestError;
use super::{Caller, WsHub};
use crate::shared::{Request, Response, leading_integer};

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 100;
/// Beyond it there is nothing, in any room.
const MAX_PAGE: i64 = i32::MAX as i64;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HistoryAnswer<'a> {
    messages: Vec<MessageAnswer<'a>>,
    has_more: bool,
    page: i64,
}

impl WsHub {
    pub(super) async fn list_messages(
        &self,
        caller: &Caller,
        room: &str,
        request: &Request,
    ) -> Result<Response, RestError> {
        let room = self.readable_room(caller, room).await?.room;
        let number = |name| request.query(name).and_then(|text| leading_integer(&text));
        let page = number("page").unwrap_or(1).clamp(1, MAX_PAGE);
        let limit = number("limit").unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        // One more than asked for tells whether there are older ones.
        let wanted = Page {
            skip: (page - 1) * limit,
            limit: limit + 1,
        };
        let mut messages = self.store.list_messages(room.key, wanted).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = messages.len() > size;
        messages.truncate(size);
        messages.reverse();
        let mut senders: Vec<String> = messages
            .iter()
            .map(|message| message.sender_id.clone())
            .collect();
        senders.sort_unstable();
        senders.dedup();
        let existing = self.store.find_existing(System::WsHub, senders).await?;
        let answer = HistoryAnswer {
            messages: messages
                .iter()
                .map(|message| {
                    let exists = existing.contains(&message.sender_id);
                    MessageAnswer::new(message, &room.id, exists)
                })
                .collect(),
            has_more,
            page,
        };
        Ok(Response::json(200, &answer))
    }
}
