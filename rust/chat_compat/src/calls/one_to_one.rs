//! Calls between two users, and tokens for the media server.

use chat_database::compat::{CallStatus, CallWithParties, MediaRoom};
use serde_json::json;

use super::announcements::to_data;
use super::answers::{CallAnswer, EndedAnswer, WithToken};
use super::error::{CallError, Checker};
use super::users::MAX_NAME_CHARACTERS;
use super::{Caller, Calls};
use crate::shared::{Request, Response, format_time, uuid};

/// Longer names of rooms and users are nobody's.
const MAX_ID_CHARACTERS: usize = 256;

impl Calls {
    pub(super) async fn start_call(
        &self,
        caller: Caller,
        request: &Request,
    ) -> Result<Response, CallError> {
        let livekit = self.livekit()?;
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let from = checker.text("fromUserId", MAX_ID_CHARACTERS);
        let to = checker.text("toUserId", MAX_ID_CHARACTERS);
        checker.finish()?;
        if from == to {
            let message = "toUserId must be different from fromUserId".to_owned();
            return Err(CallError::Invalid(vec![message]));
        }
        let (from, to) = (self.find_user(from).await?, self.find_user(to).await?);
        caller.may_act_as(&from)?;
        let room_name = uuid();
        // Made before anything is stored, so that nothing is if it cannot be made.
        let token = livekit.token(&room_name, &from.id, &from.name)?;
        let create = self
            .store
            .create_call(uuid(), room_name, from.clone(), to.clone());
        let call = self
            .announcements
            .change(
                "call.started",
                Box::pin(async {
                    let call = create.await?;
                    Ok::<_, CallError>(CallWithParties { call, from, to })
                }),
                |call| Some(to_data(&CallAnswer::from(call))),
            )
            .await?;
        let answer = WithToken {
            answer: CallAnswer::from(&call),
            token: &token,
            url: livekit.url(),
        };
        Ok(Response::json(201, &answer))
    }

    pub(super) async fn end_call(&self, caller: Caller, id: &str) -> Result<Response, CallError> {
        let CallWithParties { call, from, to } = self
            .store
            .find_call(id)
            .await?
            .ok_or(CallError::not_found("Call not found"))?;
        if !caller.owns(&from) && !caller.owns(&to) {
            return Err(CallError::forbidden());
        }
        let ended = self
            .announcements
            .change("call.ended", Box::pin(self.store.end_call(call)), |ended| {
                ended.is_news.then(|| json!({"callId": ended.id}))
            })
            .await?;
        let answer = EndedAnswer {
            success: true,
            call_id: &ended.id,
            status: CallStatus::Ended.as_str(),
            end_time: format_time(ended.end_time),
        };
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn make_token(
        &self,
        caller: Caller,
        request: &Request,
    ) -> Result<Response, CallError> {
        let livekit = self.livekit()?;
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let wanted = checker.text("roomName", MAX_ID_CHARACTERS);
        let identity = checker.text("identity", MAX_ID_CHARACTERS);
        let name = checker.text("name", MAX_NAME_CHARACTERS);
        checker.finish()?;
        let room = self
            .store
            .find_media_room(wanted)
            .await?
            .ok_or(CallError::not_found("Room not found"))?;
        let room_name = match room {
            MediaRoom::Call(call) => {
                let CallWithParties { call, from, to } = *call;
                if caller.0.is_some() {
                    let party = [&from, &to].into_iter().find(|user| user.id == identity);
                    caller.may_act_as(party.ok_or_else(CallError::forbidden)?)?;
                }
                if call.status == CallStatus::Ended {
                    return Err(CallError::Refused(409, "Call has ended", "Conflict"));
                }
                let room_name = call.room_name.clone();
                if identity == to.id {
                    self.store.activate_call(call).await?;
                }
                room_name
            }
            MediaRoom::Room(room) => {
                if caller.0.is_some() {
                    if !room.participants.iter().any(|user| user == identity) {
                        return Err(CallError::forbidden());
                    }
                    caller.may_act_as(&self.find_user(identity).await?)?;
                }
                room.room_name
            }
        };
        let answer = json!({
            "token": livekit.token(&room_name, identity, name)?,
            "url": livekit.url(),
        });
        Ok(Response::json(200, &answer))
    }
}
