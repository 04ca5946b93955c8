//! The hub under a scheduler that tries out interleavings.
//!
//! Every test runs its scenario many times, half of them with threads chosen by lot
//! at each step, half with few changes between threads at rare places (PCT), which
//! finds other faults. `MODEL_SEED` repeats a run, `MODEL_RUNS` makes it longer:
//!
//! ```sh
//! MODEL_RUNS=20000 cargo test -p chat_hub_model -- --nocapture
//! ```

mod ends;
mod fixture;
mod outboxes;
mod resume;
mod rooms;
mod topics;
