//! The tokio runtime behind every awaitable.
//!
//! Importing the module does not start it: its threads start with the first use,
//! in the process that serves, after any fork. They never touch Python objects,
//! so the interpreter can go away whenever it likes.

use std::future::Future;
use std::sync::LazyLock;

use chat_server::ServiceError;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use tokio::runtime::{Builder, EnterGuard, Runtime};

use crate::completions;
use crate::error::to_exception;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "without threads there is no service, and nobody to tell"
    )]
    Builder::new_multi_thread()
        .enable_all()
        .thread_name("chat-worker")
        .build()
        .expect("the system starts threads")
});

/// Makes the current thread a part of the runtime for as long as the guard lives.
pub(crate) fn enter() -> EnterGuard<'static> {
    RUNTIME.enter()
}

/// Runs a use case on the runtime; Python awaits its result on the running event
/// loop. If Python stops waiting, the use case runs to its end all the same.
pub(crate) fn awaitable<'py, F, T>(py: Python<'py>, work: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let (future, completion) = completions::expect(py)?;
    RUNTIME.spawn(async move {
        let result = work.await;
        completion.deliver(move |py| match result {
            Ok(value) => value.into_py_any(py),
            Err(error) => Err(to_exception(py, &error)),
        });
    });
    Ok(future)
}

/// Runs a use case and waits for it here, with the interpreter free for others.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    work: impl Future<Output = Result<T, ServiceError>> + Send,
) -> PyResult<T> {
    py.detach(|| RUNTIME.block_on(work))
        .map_err(|error| to_exception(py, &error))
}
