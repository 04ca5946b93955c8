//! What several faces need: requests and answers, errors, ids, accounts, images.

mod accounts;
mod error;
mod ids;
mod images;
mod mounts;
mod primary;
mod request;
mod response;
mod routing;
mod socket_token;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod time;
mod writer;

pub(crate) use accounts::{Accounts, NewLogin};
pub use error::CompatError;
pub(crate) use ids::{ObjectIds, meeting_id, uuid};
pub use images::{Conditions, Content, ContentSource, Image, ImageOutcome, ImageRefusal};
pub(crate) use mounts::{Target, resolve};
pub use primary::{BoxFuture, Primary, PrimaryUser};
pub(crate) use request::{BodyError, Fields, MAX_BODY_BYTES};
pub use request::{Request, RequestHead};
pub use response::{Body, Response};
pub(crate) use routing::{Method, Routed, route};
pub(crate) use socket_token::socket_token;
pub(crate) use text::{is_email, leading_integer};
pub(crate) use time::{format_http_date, format_time};
pub(crate) use writer::{Draft, MessageQueue};
