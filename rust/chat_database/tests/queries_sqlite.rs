//! The facade and the writer on SQLite: the cases of `cases/`.

#[path = "back_end/sqlite.rs"]
mod back_end;
mod cases;
