//! What faces ask of the primary service, implemented by `chat_server`.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use chat_protocol::ids::UserId;

use super::{CompatError, Conditions, Image, ImageRefusal};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An active IzpoChat account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryUser {
    pub id: UserId,
    pub username: String,
}

/// Accounts, the password threads and the store of the primary service.
pub trait Primary: Debug + Send + Sync + 'static {
    /// The account an IzpoChat token stands for; none if it does not stand for an
    /// active one.
    fn find_bearer<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<PrimaryUser>, CompatError>>;

    fn hash_password(&self, password: String) -> BoxFuture<'_, Result<String, CompatError>>;

    /// Whether the password matches; without a hash the same time passes.
    fn verify_password(
        &self,
        password: String,
        hash: Option<String>,
    ) -> BoxFuture<'_, Result<bool, CompatError>>;

    /// Stores an image that whoever knows its name may read, and gives that name.
    fn store_image(
        &self,
        content: Bytes,
    ) -> BoxFuture<'_, Result<Result<String, ImageRefusal>, CompatError>>;

    /// The image of this name; none if there is none.
    fn open_image<'a>(
        &'a self,
        name: &'a str,
        conditions: Conditions,
    ) -> BoxFuture<'a, Result<Option<Image>, CompatError>>;

    /// Whether an image may have this name; whether there is one is not looked at.
    fn is_image_name(&self, name: &str) -> bool;
}
