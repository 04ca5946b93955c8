//! Class `Identity`.

use chat_server::Identity;
use pyo3::prelude::*;

#[pyclass(frozen, name = "Identity", module = "chat_app._native")]
#[derive(Clone, Debug)]
pub(crate) struct PyIdentity(pub(crate) Identity);

#[pymethods]
impl PyIdentity {
    #[getter]
    fn user_id(&self) -> i32 {
        self.0.user_id.0
    }

    #[getter]
    fn username(&self) -> &str {
        &self.0.username
    }
}
