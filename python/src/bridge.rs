//! Class `SocketBridge`: a session fed by ASGI messages.

use std::sync::{Arc, Mutex, PoisonError};

use chat_server::{BridgeInput, BridgeOutput};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::runtime::awaitable;

/// Code and reason, once the session has ended.
type Close = Option<(u16, &'static str)>;

#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct SocketBridge {
    /// None after `disconnect`.
    input: Mutex<Option<BridgeInput>>,
    output: Arc<BridgeOutput>,
}

impl SocketBridge {
    pub(crate) fn new(input: BridgeInput, output: Arc<BridgeOutput>) -> Self {
        Self {
            input: Mutex::new(Some(input)),
            output,
        }
    }

    fn input(&self) -> Option<BridgeInput> {
        self.input
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[pymethods]
impl SocketBridge {
    fn send_text<'py>(&self, py: Python<'py>, text: String) -> PyResult<Bound<'py, PyAny>> {
        let input = self.input();
        awaitable(py, async move {
            if let Some(input) = input {
                input.send_text(text).await;
            }
            Ok(())
        })
    }

    fn send_binary<'py>(&self, py: Python<'py>, payload: Vec<u8>) -> PyResult<Bound<'py, PyAny>> {
        let input = self.input();
        awaitable(py, async move {
            if let Some(input) = input {
                input.send_binary(payload).await;
            }
            Ok(())
        })
    }

    fn take_output<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyList>, Close)> {
        let batch = py.detach(|| self.output.take());
        let frames = PyList::empty(py);
        for frame in &batch.frames {
            if frame.is_binary() {
                frames.append(PyBytes::new(py, frame.payload()))?;
            } else {
                frames.append(frame.text_payload())?;
            }
        }
        Ok((frames, batch.close))
    }

    fn disconnect(&self) {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
