//! How this crate gets on with a PostgreSQL server: logging in, TLS, poolers,
//! restarts, migrations, the order of messages and the instance lock.
//!
//! Needs the feature `postgres-tests` and a server that the environment
//! variable `IZPOCHAT_TEST_POSTGRES_URL` names, with a role that may create
//! databases and roles. Every test has a database of its own. What a server
//! cannot be asked to do (break, be a pooler, speak TLS) is done by a proxy
//! or a fake in front of it.

mod changed_server;
mod fake_server;
mod fixture;
mod instance_lock;
mod login;
mod migrations;
mod numbering;
mod order;
mod pooler;
mod proxy;
mod recovery;
mod schema;
mod tls;
