//! The migrations against empty, old, foreign and locked-down databases.

use std::path::{Path, PathBuf};

use chat_database::FileLayout;
use tokio_postgres::Client;

use crate::fixture::{PlainRole, TestDatabase, open};
use crate::schema::{
    create_generation_a, create_generation_b, describe_schema, dump, execute, lines,
};

/// Tables that the original does not have, besides those of the sibling systems.
const ADDED_TABLES: [&str; 9] = [
    "pending_objects",
    "file_thumbnails",
    "room_sequences",
    "message_sequence",
    "message_receipts",
    "read_markers",
    "room_changes",
    "message_changes",
    "change_receipts",
];

/// The tables in the order in which they are reported.
const TABLES: [&str; 14] = [
    "users",
    "rooms",
    "user_rooms",
    "file_uploads",
    "messages",
    "pending_objects",
    "file_thumbnails",
    "room_sequences",
    "message_sequence",
    "message_receipts",
    "read_markers",
    "room_changes",
    "message_changes",
    "change_receipts",
];

/// The schema of the original, as its clients of the database know it.
const ORIGINAL_SCHEMA: &[&str] = &[
    "CREATE INDEX ix_file_uploads_id ON public.file_uploads USING btree (id)",
    "CREATE INDEX ix_messages_id ON public.messages USING btree (id)",
    "CREATE INDEX ix_rooms_id ON public.rooms USING btree (id)",
    "CREATE INDEX ix_users_id ON public.users USING btree (id)",
    "CREATE UNIQUE INDEX file_uploads_pkey ON public.file_uploads USING btree (id)",
    "CREATE UNIQUE INDEX ix_users_email ON public.users USING btree (email)",
    "CREATE UNIQUE INDEX ix_users_username ON public.users USING btree (username)",
    "CREATE UNIQUE INDEX messages_pkey ON public.messages USING btree (id)",
    "CREATE UNIQUE INDEX rooms_pkey ON public.rooms USING btree (id)",
    "CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)",
    "column file_uploads.content_type character varying not null -",
    "column file_uploads.file_size integer not null -",
    "column file_uploads.id integer not null nextval('file_uploads_id_seq'::regclass)",
    "column file_uploads.original_filename character varying not null -",
    "column file_uploads.public_url character varying not null -",
    "column file_uploads.stored_filename character varying not null -",
    "column file_uploads.uploaded_at timestamp with time zone null now()",
    "column file_uploads.uploader_id integer not null -",
    "column messages.content text not null -",
    "column messages.created_at timestamp with time zone null now()",
    "column messages.file_id integer null -",
    "column messages.id integer not null nextval('messages_id_seq'::regclass)",
    "column messages.room_id integer not null -",
    "column messages.sender_id integer not null -",
    "column rooms.created_at timestamp with time zone null now()",
    "column rooms.description text null -",
    "column rooms.id integer not null nextval('rooms_id_seq'::regclass)",
    "column rooms.is_private boolean null -",
    "column rooms.name character varying not null -",
    "column rooms.owner_id integer null -",
    "column rooms.updated_at timestamp with time zone null -",
    "column user_rooms.room_id integer null -",
    "column user_rooms.user_id integer null -",
    "column users.created_at timestamp with time zone null now()",
    "column users.email character varying not null -",
    "column users.full_name character varying null -",
    "column users.hashed_password character varying not null -",
    "column users.id integer not null nextval('users_id_seq'::regclass)",
    "column users.is_active boolean null -",
    "column users.updated_at timestamp with time zone null -",
    "column users.username character varying not null -",
    "constraint file_uploads_pkey PRIMARY KEY (id)",
    "constraint file_uploads_uploader_id_fkey FOREIGN KEY (uploader_id) REFERENCES users(id)",
    "constraint messages_file_id_fkey FOREIGN KEY (file_id) REFERENCES file_uploads(id)",
    "constraint messages_pkey PRIMARY KEY (id)",
    "constraint messages_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms(id)",
    "constraint messages_sender_id_fkey FOREIGN KEY (sender_id) REFERENCES users(id)",
    "constraint rooms_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users(id)",
    "constraint rooms_pkey PRIMARY KEY (id)",
    "constraint user_rooms_room_id_fkey FOREIGN KEY (room_id) REFERENCES rooms(id)",
    "constraint user_rooms_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)",
    "constraint users_pkey PRIMARY KEY (id)",
    "sequence file_uploads_id_seq integer owned by file_uploads.id",
    "sequence messages_id_seq integer owned by messages.id",
    "sequence rooms_id_seq integer owned by rooms.id",
    "sequence users_id_seq integer owned by users.id",
];

/// The lookup indexes; the last one's column depends on the layout.
fn added_indexes(uploader: &str) -> Vec<String> {
    [
        "messages_room_id_created_at_id ON public.messages USING btree \
         (room_id, created_at DESC, id DESC)",
        "messages_file_id ON public.messages USING btree (file_id) WHERE (file_id IS NOT NULL)",
        "user_rooms_room_id ON public.user_rooms USING btree (room_id)",
        "user_rooms_user_id ON public.user_rooms USING btree (user_id)",
        &format!("file_uploads_uploader ON public.file_uploads USING btree ({uploader})"),
    ]
    .map(|index| format!("CREATE INDEX ix_{index}"))
    .to_vec()
}

/// The README tells operators what a first start does to their database.
#[test]
fn the_readme_counts_the_indexes_that_are_added() {
    const README: &str = include_str!("../../../../README.md");
    const NUMBERS: [&str; 8] = ["no", "one", "two", "three", "four", "five", "six", "seven"];
    let number = NUMBERS[added_indexes("uploader_id").len()];
    let sentence = format!("The first start adds {number} indexes to the original's tables,");
    assert!(README.contains(&sentence), "{sentence}");
}

/// What the schema says of the tables of the original.
async fn describe_original(client: &Client) -> Vec<String> {
    let is_added = |line: &String| {
        line.contains("compat_")
            || line.contains("number_messages")
            || ADDED_TABLES.iter().any(|table| line.contains(table))
    };
    let mut lines = describe_schema(client).await;
    lines.retain(|line| !is_added(line));
    lines
}

/// The folders of the migrations, in their order.
pub(crate) fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let entries = std::fs::read_dir(folder).expect("the migrations");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a migration").path())
        .collect();
    folders.sort();
    folders
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[tokio::test]
async fn an_empty_database_gets_the_schema_of_the_original() {
    let database = TestDatabase::create().await;
    let opened = database.open().await;
    assert_eq!(opened.migration().created_tables, TABLES);
    assert_eq!(opened.migration().file_layout, FileLayout::A);
    let mut expected = added_indexes("uploader_id");
    expected.extend(ORIGINAL_SCHEMA.iter().map(|line| (*line).to_owned()));
    let found = describe_original(&database.client().await).await;
    assert_eq!(sorted(found), sorted(expected));

    let again = database.open().await;
    assert!(again.migration().created_tables.is_empty());
}

/// Opens an old database, and looks whether anything but the indexes is new about
/// its tables.
async fn check_that_old_data_survives(
    database: &TestDatabase,
    client: &Client,
    layout: FileLayout,
    uploader: &str,
) {
    let rows = dump(client).await;
    let mut schema = describe_schema(client).await;
    schema.extend(added_indexes(uploader));
    for created in [&ADDED_TABLES[..], &[]] {
        let opened = database.open().await;
        assert_eq!(opened.migration().file_layout, layout);
        assert_eq!(opened.migration().created_tables, created);
        assert_eq!(dump(client).await, rows);
        assert_eq!(
            sorted(describe_original(client).await),
            sorted(schema.clone())
        );
    }
}

#[tokio::test]
async fn a_database_of_the_first_generation_only_gains_indexes() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    check_that_old_data_survives(&database, &client, FileLayout::A, "uploader_id").await;
}

#[tokio::test]
async fn a_database_of_the_second_generation_only_gains_indexes() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_b(&client).await;
    check_that_old_data_survives(&database, &client, FileLayout::B, "user_id").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_at_once() {
    for _ in 0..3 {
        let database = TestDatabase::create().await;
        // Each of these shares nothing with the others but the server.
        let results = tokio::join!(database.open(), database.open(), database.open());
        drop(results);
        let versions = "select version from __diesel_schema_migrations";
        let applied = lines(&database.client().await, versions).await;
        assert_eq!(applied.len(), migrations().len());
    }
}

#[tokio::test]
async fn every_way_down_leads_back_to_nothing_and_up_again() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    drop(database.open().await);
    for migration in migrations().iter().rev() {
        let statements = std::fs::read_to_string(migration.join("down.sql"));
        execute(&client, &statements.expect("a way down")).await;
    }
    assert_eq!(describe_schema(&client).await, [""; 0]);
    execute(&client, "delete from __diesel_schema_migrations").await;
    let again = database.open().await;
    assert_eq!(again.migration().created_tables, TABLES);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_half_done() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    // The first migration meets a view where it wants to put an index.
    execute(&client, "create view messages as select 1 as id").await;
    let error = open(&database.url()).await;
    let error = error.expect_err("a view is no table");
    assert_eq!(error.code(), "internal");
    let tables = "select relname::text from pg_class
                  where relnamespace = 'public'::regnamespace and relkind = 'r'";
    assert_eq!(lines(&client, tables).await, [""; 0]);
}

#[tokio::test]
async fn a_table_of_the_same_name_but_other_columns_is_reported() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    execute(
        &client,
        "create table rooms (id serial primary key, name varchar, owner_id integer)",
    )
    .await;
    let error = open(&database.url())
        .await
        .expect_err("columns are missing");
    assert_eq!(error.code(), "schema_missing");
    let report = error.report();
    assert!(report.contains("column rooms.is_private"), "{report}");
    assert!(!report.contains("table "), "{report}");
}

#[tokio::test]
async fn a_role_without_rights_is_enough_where_the_tables_are() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_b(&client).await;
    let schema = describe_schema(&client).await;
    let role = PlainRole::create(&database, &client).await;
    let opened = open(&role.url).await.expect("the tables are there");
    assert_eq!(opened.migration().file_layout, FileLayout::B);
    opened.ping().await.expect("it works");
    assert_eq!(describe_schema(&client).await, schema);
    opened.close().await;

    // Also where the migrations have been run by somebody else.
    drop(database.open().await);
    let regrant = format!(
        "grant select on __diesel_schema_migrations to {}",
        role.name
    );
    execute(&client, &regrant).await;
    open(&role.url).await.expect("nothing is left to do");
    role.remove(&client).await;
}

#[tokio::test]
async fn a_role_without_rights_is_told_which_tables_are_missing() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    let role = PlainRole::create(&database, &client).await;
    execute(&client, "create table users (id integer, username varchar)").await;
    let error = open(&role.url).await.expect_err("tables are missing");
    assert_eq!(error.code(), "schema_missing");
    let report = error.report();
    for what in ["table rooms", "table messages", "column users.email"] {
        assert!(report.contains(what), "{report}");
    }
    role.remove(&client).await;
}
