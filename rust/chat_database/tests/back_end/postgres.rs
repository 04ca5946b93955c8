//! A place for the database of one test: a new database on the server that
//! `IZPOCHAT_TEST_POSTGRES_URL` names, dropped afterwards.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use chat_database::DatabaseUrl;
use tokio_postgres::{Client, NoTls};

pub(crate) const ID_COLUMN: &str = "id serial primary key";

/// SQL for a time that is written as `text`.
pub(crate) fn time(text: &str) -> String {
    format!("({text})::timestamptz")
}

pub(crate) struct Place {
    server: String,
    name: String,
}

impl Place {
    pub(crate) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("IZPOCHAT_TEST_POSTGRES_URL")
            .expect("IZPOCHAT_TEST_POSTGRES_URL names a PostgreSQL server");
        let name = format!(
            "izpochat_queries_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let sql = format!("create database {name}");
        connect(&server)
            .await
            .batch_execute(&sql)
            .await
            .expect(&sql);
        Self { server, name }
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        self.url_text().parse().expect("a valid URL")
    }

    /// Runs statements beside the code under test.
    pub(crate) async fn execute(&self, sql: &str) {
        let client = connect(&self.url_text()).await;
        client.batch_execute(sql).await.expect(sql);
    }

    /// The single number a query answers.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let client = connect(&self.url_text()).await;
        client.query_one(sql, &[]).await.expect(sql).get(0)
    }

    /// The server's URL with this database in place of the one it names.
    pub(crate) fn url_text(&self) -> String {
        let (location, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (server, _) = location.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}?{query}", self.name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let server = self.server.clone();
        let sql = format!("drop database {} with (force)", self.name);
        // A thread of its own, because this runs inside the test's runtime.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async { connect(&server).await.batch_execute(&sql).await })
        })
        .join();
        assert!(matches!(dropped, Ok(Ok(()))), "the database is dropped");
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the server takes connections");
    tokio::spawn(connection);
    client
}
