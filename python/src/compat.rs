//! Values of the sibling systems: their settings, requests and answers.

use std::sync::Arc;
use std::time::Duration;

use chat_server::{
    CompatBody, CompatConfig, CompatContent, CompatResponse, CompatSystem, LiveKitConfig,
    ServiceError,
};
use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::files::Chunk;
use crate::runtime::awaitable;

/// The attributes of `chat_app.core.compat.CompatConfig`.
#[derive(FromPyObject)]
pub(crate) struct CompatSettings {
    systems: Vec<String>,
    meetings_secret: String,
    ws_hub_secret: String,
    webrtc_secret: String,
    calls_open: bool,
    meetings_open: bool,
    meetings_empty_seconds: u64,
    livekit_url: Option<String>,
    livekit_api_key: Option<String>,
    livekit_api_secret: Option<String>,
    livekit_token_ttl_seconds: u64,
}

impl CompatSettings {
    /// The media server needs all three of its settings.
    pub(crate) fn into_config(self, max_frames_per_second: u32) -> PyResult<CompatConfig> {
        let systems = self.systems.iter().map(|name| {
            CompatSystem::from_name(name)
                .ok_or_else(|| PyValueError::new_err(format!("COMPAT_SYSTEMS: {name:?}")))
        });
        let livekit = (|| {
            Some(LiveKitConfig {
                url: self.livekit_url?,
                api_key: self.livekit_api_key?,
                api_secret: self.livekit_api_secret?.into(),
                token_lifetime: Duration::from_secs(self.livekit_token_ttl_seconds),
            })
        })();
        Ok(CompatConfig {
            systems: systems.collect::<PyResult<_>>()?,
            meetings_secret: self.meetings_secret.into(),
            ws_hub_secret: self.ws_hub_secret.into(),
            webrtc_secret: self.webrtc_secret.into(),
            calls_open: self.calls_open,
            meetings_open: self.meetings_open,
            meetings_empty: Duration::from_secs(self.meetings_empty_seconds),
            livekit,
            max_frames_per_second,
        })
    }
}

/// The body of an answer that comes piece by piece.
#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Content(CompatContent);

#[pymethods]
impl Content {
    #[getter]
    fn length(&self) -> u64 {
        self.0.length
    }

    fn next_chunk<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let source = Arc::clone(&self.0.source);
        awaitable(py, async move {
            let chunk = source.next_chunk().await;
            chunk
                .map(|chunk| chunk.map(Chunk))
                .map_err(|error| ServiceError::Internal(error.to_string()))
        })
    }
}

/// `(status, [(name, value)], body)` in Python, names and values as bytes, the body as
/// bytes or a `Content`.
pub(crate) struct CompatAnswer(pub(crate) CompatResponse);

impl<'py> IntoPyObject<'py> for CompatAnswer {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let CompatResponse {
            status,
            headers,
            body,
        } = self.0;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                let value = PyBytes::new(py, value.as_bytes());
                (PyBytes::new(py, name.as_bytes()), value)
            })
            .collect();
        let body = match body {
            CompatBody::Bytes(bytes) => PyBytes::new(py, &bytes).into_any(),
            CompatBody::Content(content) => Content(content).into_bound_py_any(py)?,
        };
        (status, headers, body).into_pyobject(py)
    }
}
