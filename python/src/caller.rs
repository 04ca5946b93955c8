//! Class `Caller`: what somebody with a token may ask of a `Core`.

use std::future::Future;
use std::sync::Arc;

use chat_server::{
    Bearer, Chat, ClientId, Identity, MemberName, Service, ServiceError, UploadForm,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::answer::{History, JsonAnswer};
use crate::arguments::{self, RowNumber};
use crate::files::{Download, Upload, download_request};
use crate::runtime::{answered_use_case, use_case};

#[pyclass(frozen, module = "chat_app._native")]
#[derive(Debug)]
pub(crate) struct Caller {
    service: Arc<Service>,
    bearer: Bearer,
}

impl Caller {
    pub(crate) fn new(service: Arc<Service>, bearer: Bearer) -> Self {
        Self { service, bearer }
    }

    /// Runs a use case for whoever the caller turns out to be.
    fn run<'py, F, T>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(Arc<Service>, Identity) -> F + Send + 'static,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        F: Future<Output = Result<T, ServiceError>> + Send + 'static,
        T: for<'any> IntoPyObject<'any> + Send + 'static,
    {
        let (service, bearer) = (Arc::clone(&self.service), self.bearer.clone());
        use_case(py, &self.service, async move {
            let identity = service.chat().authenticate(&bearer).await?;
            work(service, identity).await
        })
    }
}

/// Defines the body of a method that answers JSON:
/// `json!(self, py, chat, identity => chat.method(…))`.
macro_rules! json {
    ($caller:expr, $py:expr, $chat:ident, $identity:ident => $call:expr) => {
        $caller.run($py, move |service, $identity| async move {
            let $chat: &Chat = service.chat();
            $call.await.map(JsonAnswer)
        })
    };
}

#[pymethods]
impl Caller {
    fn authenticate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, |_, _| async { Ok(()) })
    }

    fn get_own_user<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, |service, identity| async move {
            Ok(JsonAnswer(service.chat().get_own_user(&identity)))
        })
    }

    fn get_user<'py>(&self, py: Python<'py>, user_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, _identity => chat.get_user(user_id.0))
    }

    fn get_user_by_username<'py>(
        &self,
        py: Python<'py>,
        username: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, _identity => chat.get_user_by_username(&username))
    }

    #[pyo3(signature = (*, skip, limit))]
    fn list_users<'py>(
        &self,
        py: Python<'py>,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, _identity => chat.list_users(arguments::page(skip, limit)))
    }

    fn update_user<'py>(
        &self,
        py: Python<'py>,
        changes: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let changes = arguments::user_update(changes)?;
        json!(self, py, chat, identity => chat.update_user(&identity, changes))
    }

    fn list_rooms_of_user<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.list_rooms_of_user(&identity))
    }

    #[pyo3(signature = (*, name, description, is_private))]
    fn create_room<'py>(
        &self,
        py: Python<'py>,
        name: String,
        description: Option<String>,
        is_private: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.create_room(&identity, name, description, is_private))
    }

    fn get_room<'py>(&self, py: Python<'py>, room_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.get_room(&identity, room_id.0))
    }

    fn update_room<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        changes: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let changes = arguments::room_update(changes)?;
        json!(self, py, chat, identity => chat.update_room(&identity, room_id.0, changes))
    }

    fn join_room<'py>(&self, py: Python<'py>, room_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, move |service, identity| async move {
            service.chat().join_room(&identity, room_id.0).await
        })
    }

    fn leave_room<'py>(&self, py: Python<'py>, room_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, move |service, identity| async move {
            service.chat().leave_room(&identity, room_id.0).await
        })
    }

    #[pyo3(signature = (room_id, *, user_id, username))]
    fn add_room_member<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        user_id: Option<RowNumber>,
        username: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let member = match (user_id, username) {
            (Some(id), None) => MemberName::Id(id.0),
            (None, Some(username)) => MemberName::Username(username),
            _ => {
                return Err(PyValueError::new_err(
                    "exactly one of user_id and username is needed",
                ));
            }
        };
        json!(self, py, chat, identity => chat.add_room_member(&identity, room_id.0, member))
    }

    fn list_room_members<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.list_room_members(&identity, room_id.0))
    }

    fn list_online_users<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.list_online_users(&identity, room_id.0))
    }

    #[pyo3(signature = (room_id, *, skip, limit, before_seq, after_seq))]
    fn list_messages<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        skip: RowNumber,
        limit: RowNumber,
        before_seq: Option<i64>,
        after_seq: Option<i64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let part = arguments::history_part(skip, limit, before_seq, after_seq);
        self.run(py, move |service, identity| async move {
            service
                .chat()
                .list_messages(&identity, room_id.0, part)
                .await
                .map(History::from)
        })
    }

    #[pyo3(signature = (room_id, *, content, file_id, client_id))]
    fn send_message<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        content: String,
        file_id: Option<RowNumber>,
        client_id: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let file_id = file_id.map(|number| number.0);
        let client_id = match client_id {
            Some(text) => Some(
                ClientId::new(text)
                    .ok_or_else(|| PyValueError::new_err("client_id names no message"))?,
            ),
            None => None,
        };
        let (service, bearer) = (Arc::clone(&self.service), self.bearer.clone());
        answered_use_case(py, &self.service, |answer| async move {
            let give = |result: Result<Vec<u8>, _>| answer.give(result.map(JsonAnswer));
            let chat = service.chat();
            match chat.authenticate(&bearer).await {
                Ok(identity) => {
                    chat.send_message(identity, room_id.0, content, file_id, client_id, give)
                        .await;
                }
                Err(error) => give(Err(error)),
            }
        })
    }

    fn mark_read<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        seq: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.mark_read(&identity, room_id.0, seq.0))
    }

    #[pyo3(signature = (room_id, message_id, *, content))]
    fn edit_message<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        message_id: RowNumber,
        content: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.edit_message(&identity, room_id.0, message_id.0, content))
    }

    fn delete_message<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        message_id: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, move |service, identity| async move {
            let chat = service.chat();
            chat.delete_message(&identity, room_id.0, message_id.0)
                .await
        })
    }

    #[pyo3(signature = (room_id, *, after, limit))]
    fn list_changes<'py>(
        &self,
        py: Python<'py>,
        room_id: RowNumber,
        after: i64,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.list_changes(&identity, room_id.0, after, limit.0))
    }

    fn get_file<'py>(&self, py: Python<'py>, file_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        json!(self, py, chat, identity => chat.get_file(&identity, file_id.0))
    }

    #[pyo3(signature = (*, skip, limit))]
    fn list_files_of_user<'py>(
        &self,
        py: Python<'py>,
        skip: RowNumber,
        limit: RowNumber,
    ) -> PyResult<Bound<'py, PyAny>> {
        let page = arguments::page(skip, limit);
        json!(self, py, chat, identity => chat.list_files_of_user(&identity, page))
    }

    #[pyo3(signature = (*, multiple, content_type, base_url))]
    fn begin_upload<'py>(
        &self,
        py: Python<'py>,
        multiple: bool,
        content_type: Option<String>,
        base_url: String,
    ) -> PyResult<Bound<'py, PyAny>> {
        let form = if multiple {
            UploadForm::Multiple
        } else {
            UploadForm::Single
        };
        self.run(py, move |service, identity| async move {
            let chat = service.chat();
            let upload = chat.begin_upload(identity, form, content_type.as_deref(), base_url);
            upload.await.map(Upload::from)
        })
    }

    fn delete_file<'py>(&self, py: Python<'py>, file_id: RowNumber) -> PyResult<Bound<'py, PyAny>> {
        self.run(py, move |service, identity| async move {
            service.chat().delete_file(&identity, file_id.0).await
        })
    }

    #[pyo3(signature = (file_id, *, if_none_match, if_modified_since, if_range, byte_range))]
    fn download_file<'py>(
        &self,
        py: Python<'py>,
        file_id: RowNumber,
        if_none_match: Option<String>,
        if_modified_since: Option<String>,
        if_range: Option<String>,
        byte_range: Option<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = download_request(if_none_match, if_modified_since, if_range, byte_range);
        self.run(py, move |service, identity| async move {
            let chat = service.chat();
            let download = chat.download_file(&identity, file_id.0, request).await;
            download.map(Download::from)
        })
    }
}
