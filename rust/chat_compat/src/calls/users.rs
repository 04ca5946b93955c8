//! Users, which are names, and the devices attached to them.

use chat_database::compat::NewCallUser;
use serde_json::json;

use super::announcements::to_data;
use super::answers::{DeviceAnswer, UserAnswer};
use super::error::{CallError, Checker};
use super::{Caller, Calls};
use crate::shared::{Request, Response, uuid};

pub(super) const MAX_NAME_CHARACTERS: usize = 100;

impl Calls {
    pub(super) async fn create_user(
        &self,
        caller: Caller,
        request: &Request,
    ) -> Result<Response, CallError> {
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let name = checker.text("name", MAX_NAME_CHARACTERS).to_owned();
        checker.finish()?;
        let new = NewCallUser {
            id: uuid(),
            name,
            owner: caller.0,
        };
        let user = self
            .announcements
            .change(
                "user.registered",
                Box::pin(self.store.create_call_user(new)),
                |user| Some(json!({"id": user.id, "name": user.name})),
            )
            .await?;
        Ok(Response::json(201, &UserAnswer::from(&user)))
    }

    pub(super) async fn list_users(&self) -> Result<Response, CallError> {
        let users = self.store.list_call_users().await?;
        let answer: Vec<_> = users.iter().map(UserAnswer::from).collect();
        Ok(Response::json(200, &answer))
    }

    pub(super) async fn attach_device(
        &self,
        caller: Caller,
        user: &str,
        request: &Request,
    ) -> Result<Response, CallError> {
        let fields = request.fields()?;
        let mut checker = Checker::new(&fields);
        let peer = checker.text("sipPeer", MAX_NAME_CHARACTERS).to_owned();
        checker.finish()?;
        let user = self.find_user(user).await?;
        caller.may_act_as(&user)?;
        let user = self
            .announcements
            .change(
                "device.updated",
                Box::pin(self.store.attach_call_device(user, peer)),
                |user| Some(to_data(&DeviceAnswer::of(user)?)),
            )
            .await?;
        Ok(Response::json(200, &UserAnswer::from(&user)))
    }

    pub(super) async fn list_devices(&self) -> Result<Response, CallError> {
        let users = self.store.list_call_users().await?;
        let answer: Vec<_> = users.iter().filter_map(DeviceAnswer::of).collect();
        Ok(Response::json(200, &answer))
    }
}
