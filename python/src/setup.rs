//! Function `migrate_database`, for `init_db.py`.

use chat_server::DatabaseUrl;
use pyo3::prelude::*;

use crate::runtime::block_on;

#[pyfunction]
pub(crate) fn migrate_database(py: Python<'_>, database_url: &str) -> PyResult<Vec<&'static str>> {
    block_on(py, async {
        let report = chat_server::migrate(DatabaseUrl::parse(database_url)?).await?;
        Ok(report.created_tables)
    })
}
