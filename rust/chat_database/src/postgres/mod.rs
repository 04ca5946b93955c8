//! PostgreSQL over tokio-postgres, without libpq.
//!
//! `connect` opens single sessions (with `tls` for what `sslmode` means),
//! `pool` keeps some for diesel, `pooler` refuses poolers that would break
//! them, `instance_lock` keeps other server processes away, `identity` tells databases apart.

mod connect;
mod identity;
mod instance_lock;
mod pool;
mod pooler;
mod tls;

pub(crate) use self::connect::Connector;
pub(crate) use self::identity::identity;
pub(crate) use self::instance_lock::acquire_instance_lock;
pub(crate) use self::pool::{Lane, PostgresPool};
pub(crate) use self::pooler::refuse_transaction_pooler;
