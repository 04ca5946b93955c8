//! Classes `Storage`, `Upload` and `Download`: files on their way in and out.

use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use chat_server::{
    Category, Download as CoreDownload, DownloadOutcome, DownloadRequest, Feed, GcsConfig, GcsUrls,
    MediaType, ServiceError, StorageConfig, StreamSource, Upload as CoreUpload, UploadReport,
};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::answer::JsonAnswer;
use crate::arguments::take_descriptor;
use crate::error::to_exception;
use crate::runtime::awaitable;

/// Where files are kept.
#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Storage(pub(crate) StorageConfig);

#[pymethods]
impl Storage {
    #[staticmethod]
    #[pyo3(signature = (folder, *, public_base_url))]
    fn local(folder: PathBuf, public_base_url: Option<String>) -> Self {
        Self(StorageConfig::Local {
            folder,
            public_base_url,
        })
    }

    #[staticmethod]
    #[pyo3(signature = (*, bucket, credentials, emulator_host, signed_url_seconds))]
    fn gcs(
        bucket: String,
        credentials: Option<PathBuf>,
        emulator_host: Option<String>,
        signed_url_seconds: Option<u64>,
    ) -> Self {
        Self(StorageConfig::Gcs(GcsConfig {
            bucket,
            credentials,
            emulator_host,
            urls: match signed_url_seconds {
                Some(seconds) => GcsUrls::Signed(Duration::from_secs(seconds)),
                None => GcsUrls::Public,
            },
        }))
    }
}

/// The types that may be uploaded and their groups, in the order of the contract.
pub(crate) fn media_types(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let types = MediaType::ALL.map(|media_type| {
        let category = match media_type.category() {
            Category::Documents => "documents",
            Category::Images => "images",
            Category::Audio => "audio",
            Category::Video => "video",
        };
        (media_type.as_str(), category)
    });
    PyTuple::new(py, types)
}

/// An upload that waits for the pieces of its body.
#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Upload(Arc<CoreUpload>);

impl From<CoreUpload> for Upload {
    fn from(upload: CoreUpload) -> Self {
        Self(Arc::new(upload))
    }
}

#[pymethods]
impl Upload {
    /// `bool`, or an awaitable of it.
    fn feed<'py>(&self, py: Python<'py>, chunk: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let taken = match self.0.try_feed(chunk.to_vec().into()) {
            Feed::Taken => true,
            Feed::Decided => false,
            Feed::Full(rest) => {
                let upload = Arc::clone(&self.0);
                return awaitable(py, async move { Ok(upload.feed(rest).await) });
            }
        };
        taken.into_bound_py_any(py)
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let upload = Arc::clone(&self.0);
        awaitable(py, async move { upload.finish().await.map(Report) })
    }

    fn finish_from_socket<'py>(
        &self,
        py: Python<'py>,
        file_descriptor: RawFd,
        length: u64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let descriptor = take_descriptor(file_descriptor)?;
        let upload = Arc::clone(&self.0);
        awaitable(py, async move {
            match StreamSource::from_descriptor(descriptor) {
                Ok(source) => upload.finish_from_socket(source, length).await.map(Report),
                // The peer is gone already.
                Err(_) => Err(ServiceError::UploadAborted),
            }
        })
    }

    fn abort(&self) {
        self.0.abort();
    }
}

/// `tuple[list[bytes], list[tuple[str, ChatError]]]` in Python.
struct Report(UploadReport);

impl<'py> IntoPyObject<'py> for Report {
    type Target = PyTuple;
    type Output = Bound<'py, PyTuple>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        let files: Vec<_> = self.0.files.into_iter().map(JsonAnswer).collect();
        let refused: Vec<_> = self
            .0
            .refused
            .into_iter()
            .map(|(name, error)| (name, to_exception(py, &error).into_value(py)))
            .collect();
        (files, refused).into_pyobject(py)
    }
}

/// A file on its way to a client.
#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Download(Arc<CoreDownload>);

impl From<CoreDownload> for Download {
    fn from(download: CoreDownload) -> Self {
        Self(Arc::new(download))
    }
}

#[pymethods]
impl Download {
    #[getter]
    fn outcome(&self) -> &'static str {
        match self.0.head.outcome {
            DownloadOutcome::Whole => "whole",
            DownloadOutcome::Part => "part",
            DownloadOutcome::NotModified => "not_modified",
            DownloadOutcome::Unsatisfiable => "unsatisfiable",
        }
    }

    #[getter]
    fn etag(&self) -> &str {
        &self.0.head.etag
    }

    /// Seconds since 1970.
    #[getter]
    fn modified(&self) -> f64 {
        let since = self.0.head.modified.duration_since(UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }

    #[getter]
    fn content_type(&self) -> &str {
        &self.0.head.content_type
    }

    #[getter]
    fn disposition(&self) -> &str {
        &self.0.head.disposition
    }

    #[getter]
    fn is_inline(&self) -> bool {
        self.0.head.is_inline
    }

    #[getter]
    fn length(&self) -> u64 {
        self.0.head.length
    }

    #[getter]
    fn content_range(&self) -> Option<&str> {
        self.0.head.content_range.as_deref()
    }

    fn next_chunk<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let download = Arc::clone(&self.0);
        awaitable(py, async move {
            download.next_chunk().await.map(|chunk| chunk.map(Chunk))
        })
    }
}

/// `bytes` in Python.
pub(crate) struct Chunk(pub(crate) bytes::Bytes);

impl<'py> IntoPyObject<'py> for Chunk {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

/// The headers of a download's request.
pub(crate) fn download_request(
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
    if_range: Option<String>,
    byte_range: Option<String>,
) -> DownloadRequest {
    DownloadRequest {
        if_none_match,
        if_modified_since,
        if_range,
        range: byte_range,
    }
}
