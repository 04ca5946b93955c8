//! Voice rooms.

use chat_database::compat::CallRoom;
use serde_json::json;

use super::announcements::to_data;
use super::answers::{JoinedAnswer, RoomAnswer, UserAnswer, WithToken};
use super::error::{CallError, Checker};
use super::users::MAX_NAME_CHARACTERS;
use super::{Caller, Calls};
use crate::shared::{Request, Response, uuid};

impl Calls {
    pub(super) async fn create_room(&self, request: &Request) -> Result<Response, CallError> {
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let name = checker.text("name", MAX_NAME_CHARACTERS).to_owned();
        checker.finish()?;
        let room = self
            .announcements
            .change(
                "room.created",
                Box::pin(self.store.create_call_room(uuid(), name, uuid())),
                |room| Some(to_data(&RoomAnswer::from(room))),
            )
            .await?;
        Ok(Response::json(201, &RoomAnswer::from(&room)))
    }

    pub(super) async fn list_rooms(&self) -> Result<Response, CallError> {
        let rooms = self.store.list_call_rooms().await?;
        let answer: Vec<_> = rooms.iter().map(RoomAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn list_room_users(&self, room: &str) -> Result<Response, CallError> {
        let room = self.find_room(room).await?;
        let users = self.store.list_call_room_users(room).await?;
        let answer: Vec<_> = users.iter().map(UserAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn join_room(
        &self,
        caller: Caller,
        room: &str,
        request: &Request,
    ) -> Result<Response, CallError> {
        let livekit = self.livekit()?;
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let user = checker.text("userId", MAX_NAME_CHARACTERS);
        checker.finish()?;
        let room = self.find_room(room).await?;
        let user = self.find_user(user).await?;
        caller.may_act_as(&user)?;
        let token = livekit.token(&room.room_name, &user.id, &user.name)?;
        let answer = WithToken {
            answer: JoinedAnswer {
                success: true,
                room_id: &room.id,
                room_name: &room.room_name,
            },
            token: &token,
            url: livekit.url(),
        };
        let answer = Response::json(200, &answer);
        let joined = json!({"roomId": room.id, "userId": user.id});
        self.announcements
            .change(
                "room.joined",
                Box::pin(self.store.join_call_room(room, user)),
                |()| Some(joined),
            )
            .await?;
        Ok(answer)
    }

    async fn find_room(&self, id: &str) -> Result<CallRoom, CallError> {
        self.store
            .find_call_room(id)
            .await?
            .ok_or(CallError::not_found("Room not found"))
    }
}
