//! `chat_app._native`: the Rust core as Python sees it.
//!
//! Translation only: arguments become owned Rust values, futures become
//! awaitables, errors become `ChatError`. No rule of the chat lives here. The
//! classes are documented in `chat_app/_native.pyi`.

mod answer;
mod arguments;
mod bridge;
mod caller;
mod compat;
mod completions;
mod core;
mod error;
mod files;
mod first_wait;
mod interpreter;
mod logging;
mod requests;
mod runtime;
mod setup;
mod wake_up;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::close_gate_at_exit(module)?;
    module.add("ChatError", module.py().get_type::<error::ChatError>())?;
    module.add("ERROR_CODES", error::codes(module.py())?)?;
    module.add("MEDIA_TYPES", files::media_types(module.py())?)?;
    module.add_class::<core::Core>()?;
    module.add_class::<caller::Caller>()?;
    module.add_class::<bridge::SocketBridge>()?;
    module.add_class::<answer::HistoryChunks>()?;
    module.add_class::<files::Storage>()?;
    module.add_class::<files::Upload>()?;
    module.add_class::<files::Download>()?;
    module.add_class::<compat::Content>()?;
    module.add_function(wrap_pyfunction!(logging::init_tracing, module)?)?;
    module.add_function(wrap_pyfunction!(setup::migrate_database, module)?)?;
    Ok(())
}
