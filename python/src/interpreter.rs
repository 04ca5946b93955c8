//! Calls into Python from threads that are not Python's.
//!
//! A thread that attaches while the interpreter goes away would crash the
//! process. So all such calls pass a gate, which Python closes at exit; after
//! that they do nothing.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

static GATE_IS_OPEN: Mutex<bool> = Mutex::new(true);

/// Runs `call` with the interpreter attached; none once it is going away.
pub(crate) fn with_interpreter<T>(call: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let gate = GATE_IS_OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if *gate {
        Python::try_attach(call)
    } else {
        None
    }
}

/// Closes the gate and waits for a call that is inside.
#[pyfunction]
fn close_gate(py: Python<'_>) {
    // Detached: the call inside may be waiting for the interpreter.
    py.detach(|| *GATE_IS_OPEN.lock().unwrap_or_else(PoisonError::into_inner) = false);
}

/// Has the gate closed when the interpreter exits.
pub(crate) fn close_gate_at_exit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close = wrap_pyfunction!(close_gate, module)?;
    module
        .py()
        .import("atexit")?
        .call_method1("register", (close,))?;
    Ok(())
}
