//! Class `Core`: one running chat service.

use std::future::Future;
use std::os::fd::RawFd;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chat_server::{
    BridgeOutput, Chat, CompatConditions, CompatRequest, CompatRequestHead, DatabaseUrl,
    EngineRequest, Service, ServiceConfig, ServiceError, SocketOptions, StreamSource,
    TokenAlgorithm,
};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::answer::{JsonAnswer, TextAnswer};
use crate::arguments::{self, RowNumber};
use crate::bridge::SocketBridge;
use crate::caller::Caller;
use crate::compat::{CompatAnswer, CompatSettings};
use crate::error::to_exception;
use crate::files::{Download, Storage, download_request};
use crate::runtime::{awaitable, begun, enter, use_case};
use crate::wake_up::call_soon;

#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Core {
    config: ServiceConfig,
    service: Arc<RwLock<Option<Arc<Service>>>>,
}

impl Core {
    fn service(&self) -> Result<Arc<Service>, ServiceError> {
        self.service
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(ServiceError::NotRunning)
    }

    /// Runs a use case; a stopped service answers as such.
    fn run<'py, F, T>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(Arc<Service>) -> F + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
        T: for<'any> IntoPyObject<'any> + Send + 'static,
    {
        let service = self.service().map_err(|error| to_exception(py, &error))?;
        use_case(py, &Arc::clone(&service), work(service))
    }

    /// Waits for the start of the service, and keeps it until `stop`.
    fn keep_running<'py>(
        &self,
        py: Python<'py>,
        started: impl Future<Output = Result<Service, ServiceError>> + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>> {
        let slot = Arc::clone(&self.service);
        awaitable(py, async move {
            let service = started.await?;
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(service));
            Ok(())
        })
    }
}

/// Defines the body of a method that answers JSON: `json!(self, py, chat => chat.method(…))`.
macro_rules! json {
    ($core:expr, $py:expr, $chat:ident => $call:expr) => {
        $core.run($py, move |service| async move {
            let $chat: &Chat = service.chat();
            $call.await.map(JsonAnswer)
        })
    };
}

#[pymethods]
impl Core {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (*, database_url, database_pool_size, secret_key, algorithm, access_token_expire_minutes, socket_threads, outbox_max_bytes, resume_max_messages, presence_grace_seconds, max_frames_per_second, compression, session_max_age, shutdown_spread_seconds, redis_url, storage, max_file_bytes, compat))]
    fn new(
        database_url: &str,
        database_pool_size: u32,
        secret_key: String,
        algorithm: &str,
        access_token_expire_minutes: u64,
        socket_threads: usize,
        outbox_max_bytes: usize,
        resume_max_messages: usize,
        presence_grace_seconds: u64,
        max_frames_per_second: u32,
        compression: bool,
        session_max_age: Option<u64>,
        shutdown_spread_seconds: u64,
        redis_url: Option<String>,
        storage: &Storage,
        max_file_bytes: u64,
        compat: CompatSettings,
    ) -> PyResult<Self> {
        let config = ServiceConfig {
            database_url: DatabaseUrl::parse(database_url).map_err(|error| {
                PyValueError::new_err(format!("DATABASE_URL: {}", error.report()))
            })?,
            database_pool_size,
            secret_key: secret_key.into(),
            algorithm: TokenAlgorithm::from_name(algorithm).ok_or_else(|| {
                PyValueError::new_err(format!(
                    "ALGORITHM: {algorithm:?} is not one of HS256, HS384, HS512"
                ))
            })?,
            token_lifetime: Duration::from_secs(access_token_expire_minutes.saturating_mul(60)),
            socket_threads,
            outbox_max_bytes,
            resume_max_messages,
            presence_grace: Duration::from_secs(presence_grace_seconds),
            max_frames_per_second,
            compression,
            session_max_age: session_max_age.map(Duration::from_secs),
            shutdown_spread: Duration::from_secs(shutdown_spread_seconds),
            redis_url: redis_url.map(Into::into),
            storage: storage.0.clone(),
            max_file_bytes,
            compat: compat.into_config(max_frames_per_second)?,
        };
        Ok(Self {
            config,
            service: Arc::default(),
        })
    }

    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.keep_running(py, Service::start(self.config.clone()))
    }

    #[pyo3(signature = (*, ping_interval, ping_timeout))]
    fn start_for_conformance_suites<'py>(
        &self,
        py: Python<'py>,
        ping_interval: f64,
        ping_timeout: f64,
    ) -> PyResult<Bound<'py, PyAny>> {
        let heartbeat = arguments::heartbeat(Some(ping_interval), Some(ping_timeout))?
            .ok_or_else(|| PyValueError::new_err("ping_interval: expected a positive number"))?;
        let started = Service::start_for_conformance_suites(self.config.clone(), heartbeat);
        self.keep_running(py, started)
    }

    fn close_sockets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let service = self.service();
        awaitable(py, async move {
            if let Ok(service) = service {
                service.close_sockets().await;
            }
            Ok(())
        })
    }

    fn stop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (service, slot) = (self.service(), Arc::clone(&self.service));
        awaitable(py, async move {
            if let Ok(service) = service {
                service.stop().await;
                *slot.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Ok(())
        })
    }

    fn wait_lost<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let service = self.service();
        awaitable(py, async move { Ok(service?.lost().await) })
    }

    fn identify(&self, py: Python<'_>, token: &str) -> PyResult<Caller> {
        let caller = self.service().and_then(|service| {
            let bearer = service.chat().identify(token)?;
            Ok(Caller::new(service, bearer))
        });
        caller.map_err(|error| to_exception(py, &error))
    }

    #[pyo3(signature = (*, username, email, full_name, password))]
    fn register_user<'py>(
        &self,
        py: Python<'py>,
        username: String,
        email: String,
        full_name: Option<String>,
        password: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.register_user(username, email, full_name, password))
    }

    #[pyo3(signature = (*, username, password))]
    fn login<'py>(
        &self,
        py: Python<'py>,
        username: String,
        password: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.login(&username, password))
    }

    #[pyo3(signature = (*, skip, limit))]
    fn list_public_rooms<'py>(
        &self,
        py: Python<'py>,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.list_public_rooms(arguments::page(skip, limit)))
    }

    #[pyo3(signature = (key, *, if_none_match, if_modified_since, if_range, byte_range))]
    fn download_object<'py>(
        &self,
        py: Python<'py>,
        key: String,
        if_none_match: Option<String>,
        if_modified_since: Option<String>,
        if_range: Option<String>,
        byte_range: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = download_request(if_none_match, if_modified_since, if_range, byte_range);
        self.run(py, move |service| async move {
            let download = service.chat().download_object(&key, request).await;
            download.map(Download::from)
        })
    }

    #[pyo3(signature = (*, method, path, authorization))]
    fn max_compat_body(
        &self,
        method: String,
        path: String,
        authorization: Option<String>,
    ) -> usize {
        let head = CompatRequestHead {
            method,
            path,
            authorization,
            ..CompatRequestHead::default()
        };
        // A service that does not run reads nothing.
        let service = self.service();
        service.map_or(0, |service| service.max_compat_body_bytes(&head))
    }

    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (*, method, path, query, authorization, content_type, if_none_match, if_modified_since, if_range, byte_range, body))]
    fn answer_compat<'py>(
        &self,
        py: Python<'py>,
        method: String,
        path: String,
        query: String,
        authorization: Option<String>,
        content_type: Option<String>,
        if_none_match: Option<String>,
        if_modified_since: Option<String>,
        if_range: Option<String>,
        byte_range: Option<String>,
        body: Option<Vec<u8>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let head = CompatRequestHead {
            method,
            path,
            query,
            authorization,
            content_type,
            conditions: CompatConditions {
                if_none_match,
                if_modified_since,
                if_range,
                range: byte_range,
            },
        };
        let request = CompatRequest::new(head, body);
        self.run(py, move |service| async move {
            Ok(CompatAnswer(service.answer_compat(request).await))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    #[pyo3(signature = (file_descriptor, head, *, root_path, ping_interval, ping_timeout, max_frame_bytes, max_connections))]
    fn accept_socket(
        &self,
        file_descriptor: RawFd,
        head: Vec<u8>,
        root_path: String,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
        max_frame_bytes: usize,
        max_connections: Option<usize>,
    ) -> PyResult<()> {
        let heartbeat = arguments::heartbeat(ping_interval, ping_timeout)?;
        let service = self
            .service()
            .map_err(|_| PyRuntimeError::new_err("the service is not running"))?;
        let descriptor = arguments::take_descriptor(file_descriptor)?;
        let _runtime = enter();
        match StreamSource::from_descriptor(descriptor) {
            Ok(source) => {
                let options = SocketOptions {
                    root_path,
                    heartbeat,
                    max_frame_bytes,
                    max_connections,
                };
                service.accept_socket(source, head, options);
            }
            // The peer is gone already: there is nobody to answer.
            Err(error) => tracing::debug!(%error, "a socket could not be taken over"),
        }
        Ok(())
    }

    #[pyo3(signature = (path, *, on_output))]
    fn open_compat_bridge<'py>(
        &self,
        py: Python<'py>,
        path: String,
        on_output: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let on_output = Arc::new(on_output);
        let output = Arc::new(BridgeOutput::new(move || call_soon(&on_output)));
        self.run(py, move |service| async move {
            let input = service
                .open_compat_bridge(&path, Arc::clone(&output))
                .await?;
            Ok(SocketBridge::new(input, output))
        })
    }

    #[pyo3(signature = (room_id, query, protocols, *, on_output))]
    fn open_bridge<'py>(
        &self,
        py: Python<'py>,
        room_id: String,
        query: String,
        protocols: Vec<String>,
        on_output: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let on_output = Arc::new(on_output);
        let output = Arc::new(BridgeOutput::new(move || call_soon(&on_output)));
        self.run(py, move |service| async move {
            let input = service
                .open_bridge(&room_id, &query, &protocols, Arc::clone(&output))
                .await?;
            Ok(SocketBridge::new(input, output))
        })
    }

    #[pyo3(signature = (path, query, authorization, *, on_output))]
    fn open_socket_io_bridge<'py>(
        &self,
        py: Python<'py>,
        path: String,
        query: String,
        authorization: Option<String>,
        on_output: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let on_output = Arc::new(on_output);
        let output = Arc::new(BridgeOutput::new(move || call_soon(&on_output)));
        let request = EngineRequest {
            query,
            authorization,
        };
        self.run(py, move |service| async move {
            let input = service
                .socket_io()
                .open_bridge(&path, request, Arc::clone(&output))
                .await
                .map_err(|_| ServiceError::HandshakeRefused)?;
            Ok(SocketBridge::new(input, output))
        })
    }

    fn request_socket_io<'py>(
        &self,
        py: Python<'py>,
        path: String,
        method: String,
        query: String,
        authorization: Option<String>,
        body: Vec<u8>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let service = self.service().map_err(|error| to_exception(py, &error))?;
        let request = EngineRequest {
            query,
            authorization,
        };
        // Begun here: a client's requests are taken up in the order they arrive.
        begun(py, async move {
            let socket_io = service.socket_io();
            let answer = socket_io.request(&path, &method, request, &body).await;
            Ok(TextAnswer(answer))
        })
    }

    fn abandon_socket_io(&self, path: &str, query: String) {
        if let Ok(service) = self.service() {
            let request = EngineRequest {
                query,
                authorization: None,
            };
            service.socket_io().abandon(path, &request);
        }
    }
}
