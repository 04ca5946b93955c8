//! A database per test, and ways to reach it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chat_database::{Database, DatabaseConfig, DatabaseError, DatabaseUrl};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use crate::schema::execute;

const VARIABLE: &str = "IZPOCHAT_TEST_POSTGRES_URL";

/// A fresh database; dropped with the value, by force.
pub(crate) struct TestDatabase {
    pub(crate) name: String,
    server: Config,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("izpochat_test_{}_{number}", std::process::id());
        let url = std::env::var(VARIABLE)
            .unwrap_or_else(|_| panic!("{VARIABLE} has to name a PostgreSQL server"));
        let server: Config = url
            .parse()
            .expect("a URL that tokio-postgres reads as well");
        let database = Self { name, server };
        let admin = connect(&database.server).await;
        admin
            .batch_execute(&format!("create database {}", database.name))
            .await
            .expect("the test role may create databases");
        database
    }

    /// A session besides the code under test.
    pub(crate) async fn client(&self) -> Client {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        connect(&config).await
    }

    pub(crate) fn url(&self) -> String {
        let (host, port) = self.address();
        self.url_through(&host, port, "")
    }

    /// The same database through another address; `parameters` begin with `&`.
    pub(crate) fn url_through(&self, host: &str, port: u16, parameters: &str) -> String {
        let user = self.server.get_user().unwrap_or("postgres");
        let password = self.server.get_password().unwrap_or_default();
        let password = std::str::from_utf8(password).expect("a password in UTF-8");
        self.url_of(user, password, host, port, parameters)
    }

    pub(crate) fn url_as(&self, user: &str, password: &str) -> String {
        let (host, port) = self.address();
        self.url_of(user, password, &host, port, "")
    }

    fn url_of(&self, user: &str, password: &str, host: &str, port: u16, more: &str) -> String {
        format!(
            "postgresql://{user}:{password}@/{}?host={host}&port={port}{more}",
            self.name
        )
    }

    /// Host (or folder of the socket) and port of the server.
    pub(crate) fn address(&self) -> (String, u16) {
        let host = match self.server.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            [Host::Unix(folder)] => folder.to_str().expect("a path in UTF-8").to_owned(),
            hosts => panic!("{VARIABLE} has to name one host, not {}", hosts.len()),
        };
        (
            host,
            self.server.get_ports().first().copied().unwrap_or(5432),
        )
    }

    pub(crate) async fn open(&self) -> Database {
        open(&self.url()).await.expect("the database opens")
    }

    /// Runs a statement on every session of the database but the one that asks.
    pub(crate) async fn terminate_all(&self, client: &Client) -> u64 {
        client
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
                &[],
            )
            .await
            .expect("the test role may terminate its own sessions")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Drop cannot wait for the runtime of the test, so another one does it.
        let (server, name) = (self.server.clone(), self.name.clone());
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let statement = format!("drop database if exists {name} with (force)");
                connect(&server).await.batch_execute(&statement).await
            })
        });
        let dropped = cleaner.join();
        if !std::thread::panicking() {
            dropped.expect("no panic").expect("the database is dropped");
        }
    }
}

/// A role that may log in and use what others made, and nothing else.
pub(crate) struct PlainRole {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl PlainRole {
    pub(crate) async fn create(database: &TestDatabase, client: &Client) -> Self {
        let name = format!("{}_role", database.name);
        let statements = format!(
            "create role {name} login password 'pw';
             revoke create on schema public from public;
             grant select, insert, update, delete on all tables in schema public to {name};
             grant usage on all sequences in schema public to {name}"
        );
        execute(client, &statements).await;
        let url = database.url_as(&name, "pw");
        Self { name, url }
    }

    /// Must be called last: the role outlives the database otherwise.
    pub(crate) async fn remove(self, client: &Client) {
        let name = self.name;
        execute(client, &format!("drop owned by {name}; drop role {name}")).await;
    }
}

pub(crate) async fn open(url: &str) -> Result<Database, DatabaseError> {
    open_sized(url, 4).await
}

pub(crate) async fn open_sized(url: &str, pool_size: u32) -> Result<Database, DatabaseError> {
    let url = DatabaseUrl::parse(url)?;
    Database::connect(DatabaseConfig { url, pool_size }).await
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server is there");
    tokio::spawn(connection);
    client
}

/// Asks again until the answer is yes; fails after half a minute.
pub(crate) async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
