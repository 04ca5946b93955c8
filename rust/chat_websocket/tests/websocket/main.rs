//! The codec against a client of the tests.

mod client;
mod decoding;
mod properties;
