//! Two processes in one: each with a hub and systems of its own, on one database, that
//! meet on a real Redis server.

mod client;
mod ends;
mod face;
mod process;
mod requests;
mod sockets;
