//! Class `Core`: one running chat service.

use std::future::Future;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chat_server::{
    BridgeOutput, Chat, DatabaseUrl, Identity, MemberName, Service, ServiceConfig, ServiceError,
    SocketOptions, StreamSource, TokenAlgorithm,
};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::answer::{History, JsonAnswer};
use crate::arguments::{self, RowNumber};
use crate::bridge::SocketBridge;
use crate::identity::PyIdentity;
use crate::runtime::{awaitable, enter};
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

    /// Runs a use case; the service is looked up first, so that a stopped one answers as such.
    fn run<'py, F, T>(
        &self,
        py: Python<'py>,
        use_case: impl FnOnce(Arc<Service>) -> F + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
        T: for<'any> IntoPyObject<'any> + Send + 'static,
    {
        let service = self.service();
        awaitable(py, async move { use_case(service?).await })
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

fn identity(identity: &Bound<'_, PyIdentity>) -> Identity {
    identity.get().0.clone()
}

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (*, database_url, database_pool_size, secret_key, algorithm, access_token_expire_minutes, socket_threads, outbox_max_bytes))]
    fn new(
        database_url: &str,
        database_pool_size: u32,
        secret_key: String,
        algorithm: &str,
        access_token_expire_minutes: u64,
        socket_threads: usize,
        outbox_max_bytes: usize,
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
        };
        Ok(Self {
            config,
            service: Arc::default(),
        })
    }

    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (config, slot) = (self.config.clone(), Arc::clone(&self.service));
        awaitable(py, async move {
            let service = Service::start(config).await?;
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(service));
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
        self.run(py, |service| async move { Ok(service.lost().await) })
    }

    fn authenticate<'py>(&self, py: Python<'py>, token: String) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, |service| async move {
            service.chat().authenticate(&token).await.map(PyIdentity)
        })
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

    fn get_user<'py>(&self, py: Python<'py>, user_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.get_user(user_id.0))
    }

    fn get_user_by_username<'py>(
        &self,
        py: Python<'py>,
        username: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.get_user_by_username(&username))
    }

    #[pyo3(signature = (*, skip, limit))]
    fn list_users<'py>(
        &self,
        py: Python<'py>,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat => chat.list_users(arguments::page(skip, limit)))
    }

    fn update_user<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        changes: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, changes) = (self::identity(identity), arguments::user_update(changes)?);
        json!(self, py, chat => chat.update_user(&identity, changes))
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

    fn list_rooms_of_user<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.list_rooms_of_user(&identity))
    }

    #[pyo3(signature = (identity, *, name, description, is_private))]
    fn create_room<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        name: String,
        description: Option<String>,
        is_private: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.create_room(&identity, name, description, is_private))
    }

    fn get_room<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.get_room(&identity, room_id.0))
    }

    fn update_room<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
        changes: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, changes) = (self::identity(identity), arguments::room_update(changes)?);
        json!(self, py, chat => chat.update_room(&identity, room_id.0, changes))
    }

    fn join_room<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        self.run(py, move |service| async move {
            service.chat().join_room(&identity, room_id.0).await
        })
    }

    fn leave_room<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        self.run(py, move |service| async move {
            service.chat().leave_room(&identity, room_id.0).await
        })
    }

    #[pyo3(signature = (identity, room_id, *, user_id, username))]
    fn add_room_member<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
        user_id: Option<RowNumber>,
        username: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        let member = match (user_id, username) {
            (Some(id), None) => MemberName::Id(id.0),
            (None, Some(username)) => MemberName::Username(username),
            _ => {
                return Err(PyValueError::new_err(
                    "exactly one of user_id and username is needed",
                ));
            }
        };
        json!(self, py, chat => chat.add_room_member(&identity, room_id.0, member))
    }

    fn list_room_members<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.list_room_members(&identity, room_id.0))
    }

    fn list_online_users<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.list_online_users(&identity, room_id.0))
    }

    #[pyo3(signature = (identity, room_id, *, skip, limit))]
    fn list_messages<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, page) = (self::identity(identity), arguments::page(skip, limit));
        self.run(py, move |service| async move {
            service
                .chat()
                .list_messages(&identity, room_id.0, page)
                .await
                .map(History::from)
        })
    }

    #[pyo3(signature = (identity, room_id, *, content, file_id))]
    fn send_message<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        room_id: RowNumber,
        content: String,
        file_id: Option<RowNumber>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, file_id) = (self::identity(identity), file_id.map(|number| number.0));
        json!(self, py, chat => chat.send_message(&identity, room_id.0, content, file_id))
    }

    fn get_file<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        file_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let identity = self::identity(identity);
        json!(self, py, chat => chat.get_file(&identity, file_id.0))
    }

    #[pyo3(signature = (identity, *, skip, limit))]
    fn list_files_of_user<'py>(
        &self,
        py: Python<'py>,
        identity: &Bound<'py, PyIdentity>,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (identity, page) = (self::identity(identity), arguments::page(skip, limit));
        json!(self, py, chat => chat.list_files_of_user(&identity, page))
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
        if file_descriptor < 0 {
            return Err(PyRuntimeError::new_err("the file descriptor is closed"));
        }
        #[expect(
            unsafe_code,
            reason = "the one way to take over a descriptor that Python owned"
        )]
        // SAFETY: the caller duplicated the descriptor for us and does not use it again.
        let descriptor = unsafe { OwnedFd::from_raw_fd(file_descriptor) };
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

    #[pyo3(signature = (room_id, token, *, on_output))]
    fn open_bridge<'py>(
        &self,
        py: Python<'py>,
        room_id: String,
        token: Option<String>,
        on_output: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let on_output = Arc::new(on_output);
        let output = Arc::new(BridgeOutput::new(move || call_soon(&on_output)));
        self.run(py, move |service| async move {
            let input = service
                .open_bridge(&room_id, token.as_deref(), Arc::clone(&output))
                .await?;
            Ok(SocketBridge::new(input, output))
        })
    }
}
