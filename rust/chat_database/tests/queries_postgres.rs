//! The facade and the writer on PostgreSQL: the cases of `cases/`, and what
//! only a server can do: go away.

#[path = "back_end/postgres.rs"]
mod back_end;
mod cases;
#[path = "back_end/outage.rs"]
mod outage;
#[path = "back_end/proxy.rs"]
mod proxy;
