//! Function `migrate_database`, for `init_db.py`.

use chat_server::DatabaseUrl;
use pyo3::prelude::*;

use crate::runtime::awaitable;

#[pyfunction]
pub(crate) fn migrate_database(py: Python<'_>, database_url: String) -> PyResult<Bound<'_, PyAny>> {
    awaitable(py, async move {
        let report = chat_server::migrate(DatabaseUrl::parse(&database_url)?).await?;
        Ok(report.created_tables)
    })
}
