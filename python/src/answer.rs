//! JSON answers: bytes, or pieces of bytes where an answer can be very large.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use chat_server::{HistoryAnswer, HttpAnswer};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

/// A complete JSON text; `bytes` in Python.
pub(crate) struct JsonAnswer(pub(crate) Vec<u8>);

impl<'py> IntoPyObject<'py> for JsonAnswer {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

/// Status, content type and body of an HTTP answer; a tuple in Python.
pub(crate) struct TextAnswer(pub(crate) HttpAnswer);

impl<'py> IntoPyObject<'py> for TextAnswer {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        let body = PyBytes::new(py, &self.0.body);
        (self.0.status, self.0.content_type, body).into_pyobject(py)
    }
}

/// A history: `bytes` if one piece is all of it, else `HistoryChunks`.
pub(crate) enum History {
    Whole(JsonAnswer),
    Chunks(HistoryChunks),
}

impl From<HistoryAnswer> for History {
    fn from(mut answer: HistoryAnswer) -> Self {
        let first = answer.next().unwrap_or_default();
        if answer.is_done() {
            Self::Whole(JsonAnswer(first))
        } else {
            Self::Chunks(HistoryChunks {
                state: Mutex::new((Some(first), answer)),
            })
        }
    }
}

impl<'py> IntoPyObject<'py> for History {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(match self {
            Self::Whole(answer) => PyBytes::new(py, &answer.0).into_any(),
            Self::Chunks(chunks) => Bound::new(py, chunks)?.into_any(),
        })
    }
}

/// Iterator over the pieces of a large history, each made when it is asked for.
#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct HistoryChunks {
    /// The piece that showed that there are more, and the rest.
    state: Mutex<(Option<Vec<u8>>, HistoryAnswer)>,
}

#[pymethods]
impl HistoryChunks {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let chunk = py.detach(|| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let (first, rest) = &mut *state;
            first.take().or_else(|| rest.next())
        });
        chunk.map(|chunk| PyBytes::new(py, &chunk))
    }
}
