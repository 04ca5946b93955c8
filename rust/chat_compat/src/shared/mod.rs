//! What several faces need: requests and answers, errors, ids, accounts.

mod accounts;
mod error;
mod ids;
mod mounts;
mod primary;
mod request;
mod response;
mod routing;
mod socket_token;
mod text;
mod time;
mod writer;

pub(crate) use accounts::{Accounts, NewLogin};
pub use error::CompatError;
pub(crate) use ids::{ObjectIds, meeting_id, uuid};
pub(crate) use mounts::{Target, resolve};
pub use primary::{BoxFuture, Primary, PrimaryUser};
pub(crate) use request::{BodyError, Fields};
pub use request::{Request, RequestHead};
pub use response::Response;
pub(crate) use routing::{Method, Routed, route};
pub(crate) use socket_token::socket_token;
pub(crate) use text::{is_email, leading_integer};
pub(crate) use time::format_time;
pub(crate) use writer::{Draft, MessageQueue};
