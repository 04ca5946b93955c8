pub(crate) mod client_frame;
pub(crate) mod disposition;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod token;
pub(crate) mod websocket;
