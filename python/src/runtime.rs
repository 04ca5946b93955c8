//! The tokio runtime behind every awaitable.
//!
//! Importing the module does not start it: its threads start with the first use,
//! in the process that serves, after any fork. They never touch Python objects,
//! so the interpreter can go away whenever it likes.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::LazyLock;

use chat_server::{Service, ServiceError};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use tokio::runtime::{Builder, EnterGuard, Runtime};

use crate::completions::{self, Completion};
use crate::error::to_exception;
use crate::first_wait::run_until_first_wait;
use crate::requests;

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

/// A use case for Python to await on the running event loop. If Python stops
/// waiting, the use case runs to its end all the same.
///
/// With a database inside this process it begins on a thread that may block and,
/// if all it waits for is the database, ends there: no hop per query.
pub(crate) fn use_case<'py, F, T>(
    py: Python<'py>,
    service: &Service,
    work: F,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let (future, completion) = completions::expect(py)?;
    begin(service, complete(work, completion));
    Ok(future)
}

/// Like `use_case`, for one that hands on the duty to answer instead of waiting itself:
/// one change of thread less.
pub(crate) fn answered_use_case<'py, F, T>(
    py: Python<'py>,
    service: &Service,
    work: impl FnOnce(Answer<T>) -> F,
) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = ()> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let (future, completion) = completions::expect(py)?;
    begin(service, work(Answer::new(completion)));
    Ok(future)
}

fn begin(service: &Service, work: impl Future<Output = ()> + Send + 'static) {
    if service.has_embedded_database() {
        requests::begin(RUNTIME.handle(), work);
    } else {
        RUNTIME.spawn(work);
    }
}

/// The duty to answer an awaitable.
pub(crate) struct Answer<T> {
    completion: Completion,
    result: PhantomData<fn(T)>,
}

impl<T> Answer<T>
where
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    fn new(completion: Completion) -> Self {
        Self {
            completion,
            result: PhantomData,
        }
    }

    pub(crate) fn give(self, result: Result<T, ServiceError>) {
        self.completion.deliver(move |py| match result {
            Ok(value) => value.into_py_any(py),
            Err(error) => Err(to_exception(py, &error)),
        });
    }
}

/// Runs something on the runtime; Python awaits its result on the running event loop.
pub(crate) fn awaitable<'py, F, T>(py: Python<'py>, work: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let (future, completion) = completions::expect(py)?;
    RUNTIME.spawn(complete(work, completion));
    Ok(future)
}

/// Like `awaitable`, but begun on the calling thread, where it must not block: what
/// comes first is done before what comes next is even begun.
pub(crate) fn begun<'py, F, T>(py: Python<'py>, work: F) -> PyResult<Bound<'py, PyAny>>
where
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let (future, completion) = completions::expect(py)?;
    py.detach(|| {
        let _runtime = enter();
        run_until_first_wait(RUNTIME.handle(), complete(work, completion));
    });
    Ok(future)
}

async fn complete<T>(work: impl Future<Output = Result<T, ServiceError>>, completion: Completion)
where
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    let answer = Answer::new(completion);
    answer.give(work.await);
}

/// Runs a use case and waits for it here, with the interpreter free for others.
pub(crate) fn block_on<T: Send>(
    py: Python<'_>,
    work: impl Future<Output = Result<T, ServiceError>> + Send,
) -> PyResult<T> {
    py.detach(|| RUNTIME.block_on(work))
        .map_err(|error| to_exception(py, &error))
}
