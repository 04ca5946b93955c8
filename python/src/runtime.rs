//! The tokio runtime behind every awaitable.
//!
//! Importing the module only says how the runtime is to be built; its threads
//! start with the first awaitable, in the process that serves, after any fork.

use std::future::Future;

use chat_server::ServiceError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, EnterGuard};

use crate::error::to_exception;

pub(crate) fn configure() {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_name("chat-worker");
    pyo3_async_runtimes::tokio::init(builder);
}

/// Makes the current thread a part of the runtime for as long as the guard lives.
pub(crate) fn enter() -> EnterGuard<'static> {
    pyo3_async_runtimes::tokio::get_runtime().enter()
}

/// Runs a use case on the runtime; Python awaits its result.
pub(crate) fn awaitable<'py, F, T>(py: Python<'py>, work: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    pyo3_async_runtimes::tokio::future_into_py(py, async move {
        work.await.map_err(|error| to_exception(&error))
    })
}
