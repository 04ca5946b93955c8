//! The database is changed under the running service: its tables, its settings, how many
//! sessions it grants.

use std::time::{Duration, Instant};

use chat_database::{
    Claim, Database, DatabaseError, MessageWriter, NewMessage, NewRoom, NewUser, Page, Stored,
};
use chat_protocol::ids::{RoomId, UserId};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use crate::fixture::{PlainRole, TestDatabase, open_sized};
use crate::schema::execute;

const ALL: Page = Page {
    skip: 0,
    limit: 100,
};

/// A service's use of a database: all kinds of calls.
struct Use {
    database: Database,
    writer: MessageWriter,
    ana: UserId,
    room: RoomId,
}

impl Use {
    async fn begin(url: &str, size: u32) -> Self {
        let database = open_sized(url, size).await.expect("it opens");
        let ana = NewUser {
            username: "ana".to_owned(),
            email: "ana@example.org".to_owned(),
            full_name: None,
            hashed_password: String::new(),
        };
        let ana = database.create_user(ana).await.expect("a user").id;
        let room = NewRoom {
            name: "room".to_owned(),
            description: None,
            is_private: true,
            owner_id: ana,
        };
        let room = database.create_room(room).await.expect("a room").room.id;
        let writer = MessageWriter::start(database.clone(), false).await;
        let writer = writer.expect("a writer");
        Self {
            database,
            writer,
            ana,
            room,
        }
    }

    async fn send(&self, client_id: Option<&str>) -> Result<Stored, DatabaseError> {
        let (answer, stored) = oneshot::channel();
        let message = NewMessage {
            room_id: self.room,
            sender_id: self.ana,
            content: "hola".to_owned(),
            file_id: None,
            client_id: client_id.map(str::to_owned),
        };
        let on_stored = Box::new(move |stored| {
            let _ = answer.send(stored);
        });
        self.writer.submit(message, on_stored).await;
        stored.await.expect("an answer")
    }

    /// Everything works, at the first attempt.
    async fn check(&self, what: &str) {
        let database = &self.database;
        let name = vec![("ana".to_owned(), self.room)];
        for round in 0..2 {
            let client_id = format!("{what} {round}");
            self.send(None).await.expect(what);
            self.send(Some(&client_id)).await.expect(what);
            assert!(self.send(Some(&client_id)).await.expect(what).is_repeat);
        }
        let found = database.find_user(self.ana).await.expect(what);
        assert_eq!(found.expect(what).username, "ana");
        database.find_credentials("ana").await.expect(what);
        let entries = database.find_entries(name).await.expect(what);
        assert!(entries[0].0.is_some() && entries[0].1.is_some(), "{what}");
        assert_eq!(database.list_users(ALL).await.expect(what).len(), 1);
        database.list_public_rooms(ALL).await.expect(what);
        let rooms = database.list_rooms_of_user(self.ana).await.expect(what);
        assert_eq!(rooms.len(), 1, "{what}");
        let details = database.find_room_details(self.room).await.expect(what);
        assert_eq!(details.expect(what).members.len(), 1);
        let page = database.list_messages(self.room, ALL, Vec::new()).await;
        assert!(page.expect(what).len() >= 4, "{what}");
        let page = database
            .list_messages_after(self.room, 0, None, 9, Vec::new())
            .await;
        assert!(page.expect(what).len() >= 4, "{what}");
        let lost = database.find_lost_access(vec![(self.ana, self.room)]).await;
        assert_eq!(lost.expect(what), []);
        database.add_member(self.room, self.ana).await.expect(what);
        let files = database.list_files_of_user(self.ana, ALL).await;
        assert_eq!(files.expect(what).len(), 1);
    }

    /// The same on each session of the pool, at once.
    async fn check_everywhere(&self, what: &str) {
        let calls = (0..8).map(|_| self.check_reads());
        for done in futures_util::future::join_all(calls).await {
            done.expect(what);
        }
        self.check(what).await;
    }

    async fn check_reads(&self) -> Result<(), DatabaseError> {
        self.database.find_user(self.ana).await?;
        self.database.find_room_details(self.room).await?;
        let page = self.database.list_messages(self.room, ALL, Vec::new());
        page.await.map(|_| ())
    }
}

async fn with_file(client: &Client, ana: UserId) {
    execute(
        client,
        &format!(
            "insert into file_uploads (original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id)
             values ('a.txt', 'x.txt', 3, 'text/plain', 'http://files/x.txt', {ana})"
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_get_another_type_are_read_on() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let service = Use::begin(&database.url(), 4).await;
    with_file(&client, service.ana).await;
    service.check_everywhere("before").await;
    for change in [
        "alter table users alter column username type text",
        "alter table users alter column hashed_password type varchar(300)",
        "alter table messages alter column content type varchar",
        "alter table rooms add column topic text",
        "alter table rooms alter column name type text",
        "alter table users alter column id type bigint",
        "alter table rooms alter column id type bigint,
             alter column owner_id type bigint",
        "alter table user_rooms alter column user_id type bigint,
             alter column room_id type bigint",
        "alter table file_uploads alter column id type bigint,
             alter column file_size type bigint, alter column uploader_id type bigint",
        "alter table messages alter column id type bigint, alter column room_id type bigint,
             alter column sender_id type bigint, alter column file_id type bigint",
        "drop index if exists ix_users_username;
         create unique index ix_users_username on users (username)",
    ] {
        execute(&client, change).await;
        service.check_everywhere(change).await;
    }
    service.writer.flush_and_stop().await;
    // A start finds them as they are.
    let again = open_sized(&database.url(), 2).await.expect("it opens");
    assert!(again.numbers_messages());
    let user = again.find_user(service.ana).await.expect("an answer");
    assert_eq!(user.expect("a user").username, "ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_another_schema_are_found_along_the_new_search_path() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let service = Use::begin(&database.url(), 4).await;
    with_file(&client, service.ana).await;
    service.check_everywhere("before").await;
    execute(
        &client,
        &format!(
            "create schema chat;
             do $$ declare t text; begin
                 for t in select tablename from pg_tables where schemaname = 'public' loop
                     execute format('alter table public.%I set schema chat', t);
                 end loop;
             end $$;
             alter function number_messages() set search_path = chat, pg_temp;
             alter database {} set search_path = chat, public",
            database.name
        ),
    )
    .await;
    service.check_everywhere("in another schema").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_somebody_has_deallocated_are_prepared_again() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let service = Use::begin(&database.url(), 2).await;
    with_file(&client, service.ana).await;
    service.check_everywhere("before").await;
    // As a pooler that resets a session does: a function that each session runs.
    execute(
        &client,
        "create function forget() returns trigger language plpgsql as
             $$ begin execute 'deallocate all'; return null; end $$;
         create trigger forget after insert on messages
             for each statement execute function forget()",
    )
    .await;
    service.send(None).await.expect("stored");
    execute(&client, "drop trigger forget on messages").await;
    service.check_everywhere("afterwards").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_a_time_when_the_server_took_no_writes_are_replaced() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let service = Use::begin(&database.url(), 4).await;
    with_file(&client, service.ana).await;
    service.check_everywhere("before").await;
    let setting = format!("database {}", database.name);
    for _ in 0..2 {
        execute(
            &client,
            &format!("alter {setting} set default_transaction_read_only = on"),
        )
        .await;
        database.terminate_all(&client).await;
        let mut calls = JoinSet::new();
        for _ in 0..8 {
            let database = service.database.clone();
            calls.spawn(async move { database.list_users(ALL).await.map(|_| ()) });
        }
        calls.join_all().await;
        for _ in 0..3 {
            let error = service.send(None).await.expect_err("it takes no writes");
            assert_eq!(error.code(), "database_unavailable", "{}", error.report());
            let error = service.database.remove_member(RoomId(9), UserId(9)).await;
            let error = error.expect_err("it takes no writes");
            assert_eq!(error.code(), "database_unavailable", "{}", error.report());
            service.check_reads().await.expect("it can be read");
        }
        execute(
            &client,
            &format!(
                "set default_transaction_read_only = off;
                 alter {setting} reset default_transaction_read_only"
            ),
        )
        .await;
        service.check_everywhere("at once afterwards").await;
    }
}

/// As many sessions as the lock, the writer and one reader need; then as few as the lock
/// and one for all; each as a limit of the role and as one of the database.
#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_the_few_sessions_that_are_granted() {
    for (limit, of_role) in [(3, true), (3, false), (2, true)] {
        let database = TestDatabase::create().await;
        let client = database.client().await;
        open_sized(&database.url(), 1)
            .await
            .expect("it opens")
            .close()
            .await;
        let role = PlainRole::create(&database, &client).await;
        let restriction = match of_role {
            true => format!("alter role {} connection limit {limit}", role.name),
            // Superusers do not count.
            false => format!(
                "alter database {} connection limit {}",
                database.name,
                limit + 1
            ),
        };
        execute(&client, &restriction).await;
        let service = Use::begin(&role.url, 10).await;
        with_file(&client, service.ana).await;
        let lock = service.database.acquire_instance_lock(Claim::Only).await;
        let lock = lock.expect("nobody else is there");
        let mut readers = JoinSet::new();
        let end = Instant::now() + Duration::from_secs(3);
        for _ in 0..30 {
            let database = service.database.clone();
            readers.spawn(async move {
                while Instant::now() < end {
                    database.list_users(ALL).await?;
                }
                Ok::<_, DatabaseError>(())
            });
        }
        let mut sent = 0;
        while Instant::now() < end {
            let begin = Instant::now();
            service.send(None).await.expect("it is stored");
            assert!(
                begin.elapsed() < Duration::from_secs(2),
                "the writer starves"
            );
            sent += 1;
        }
        assert!(sent > 20, "{sent}");
        for done in readers.join_all().await {
            done.expect("each reader gets its turn");
        }
        // All of it again, after the server has ended every session.
        database.terminate_all(&client).await;
        crate::fixture::wait_until("it works again", async || {
            service.send(None).await.is_ok() && service.check_reads().await.is_ok()
        })
        .await;
        let held = "select count(*) from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())";
        crate::fixture::wait_until("the lock is held again", async || {
            let _ = service.check_reads().await;
            let row = client.query_one(held, &[]).await.expect("a count");
            row.get::<_, i64>(0) == 1
        })
        .await;
        service.check_everywhere("after the restart").await;
        lock.release().await;
        service.writer.flush_and_stop().await;
        service.database.close().await;
        crate::fixture::wait_until("the sessions end", async || {
            let others = "select count(*) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
            let row = client.query_one(others, &[]).await.expect("a count");
            row.get::<_, i64>(0) == 0
        })
        .await;
        role.remove(&client).await;
    }
}
