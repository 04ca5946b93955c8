//! A place for the database of one test: a file in a folder of its own.

use chat_database::DatabaseUrl;
use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, RunQueryDsl, SqliteConnection};

pub(crate) const ID_COLUMN: &str = "id integer primary key autoincrement";

/// SQL for a time that is written as `text`.
pub(crate) fn time(text: &str) -> String {
    text.to_owned()
}

pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        format!("sqlite:///{}", self.path())
            .parse()
            .expect("a valid URL")
    }

    /// Runs statements beside the code under test.
    pub(crate) async fn execute(&self, sql: &str) {
        self.connection().batch_execute(sql).expect(sql);
    }

    /// The single number a query answers.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        diesel::select(diesel::dsl::sql::<BigInt>(&format!("({sql})")))
            .get_result(&mut self.connection())
            .expect(sql)
    }

    fn path(&self) -> String {
        self.folder.path().join("test.db").display().to_string()
    }

    fn connection(&self) -> SqliteConnection {
        let mut connection = SqliteConnection::establish(&self.path()).expect("the file opens");
        connection
            .batch_execute("pragma busy_timeout = 5000")
            .expect("a pragma");
        connection
    }
}
