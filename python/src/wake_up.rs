//! Calls from the core into Python, on a thread of their own.
//!
//! A shard must never wait for the interpreter, so it only leaves a note here;
//! this thread attaches and makes the calls, many with one attachment.

use std::sync::{Arc, LazyLock, mpsc};

use pyo3::prelude::*;

use crate::interpreter::with_interpreter;

type Callback = Arc<Py<PyAny>>;

static CALLS: LazyLock<mpsc::Sender<Callback>> = LazyLock::new(|| {
    let (sender, calls) = mpsc::channel::<Callback>();
    let started = std::thread::Builder::new()
        .name("chat-wake-up".into())
        .spawn(move || {
            while let Ok(first) = calls.recv() {
                // Nothing once the interpreter is going away: then nobody listens either.
                with_interpreter(|py| {
                    for callback in std::iter::once(first).chain(calls.try_iter()) {
                        // The event loop of a connection may be closed already.
                        let _ = callback.call0(py);
                    }
                });
            }
        });
    if let Err(error) = started {
        tracing::error!(%error, "the wake-up thread could not be started");
    }
    sender
});

/// Asks for one call of `callback`, without arguments, soon.
pub(crate) fn call_soon(callback: &Callback) {
    // The receiver lives as long as the process.
    let _ = CALLS.send(Arc::clone(callback));
}
