//! The one place where errors of the core become Python exceptions.

use chat_server::ServiceError;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

pyo3::create_exception!(
    chat_app._native,
    ChatError,
    PyException,
    "A use case was refused or failed."
);

/// Every value `ChatError.code` can have.
pub(crate) fn codes(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    PyTuple::new(py, ServiceError::codes().collect::<Vec<_>>())
}

/// A `ChatError` with its code, and what the text of its answer names besides;
/// `chat_app/errors.py` logs it where that is due.
pub(crate) fn to_exception(py: Python<'_>, error: &ServiceError) -> PyErr {
    let exception = ChatError::new_err(error.report());
    let value = exception.value(py);
    let set = value.setattr("code", error.code());
    match set.and_then(|()| value.setattr("value", error.value())) {
        Ok(()) => exception,
        Err(unexpected) => unexpected,
    }
}
