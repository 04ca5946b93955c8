//! How the store in a bucket gets on with a server: what it sends, and what it
//! makes of a network and a server that fail.
//!
//! Needs the feature `gcs-tests` and an emulator that the environment variable
//! `IZPOCHAT_TEST_GCS_EMULATOR` names, with the bucket `izpochat-test`. What an
//! emulator cannot be asked to do (break, lie, be watched) is done by a proxy
//! in front of it.

mod access;
mod failures;
mod fixture;
mod objects;
mod proxy;
