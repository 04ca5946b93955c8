//! The databases that the service can find: both generations of the original,
//! with the oddities their data can have; and ways to look at one.

use tokio_postgres::Client;

/// All that the two generations share.
const SHARED: &str = "
    create table users (
        id serial primary key, username varchar not null, email varchar not null,
        hashed_password varchar not null, full_name varchar, is_active boolean,
        created_at timestamptz default now(), updated_at timestamptz);
    create unique index ix_users_username on users (username);
    create unique index ix_users_email on users (email);
    create index ix_users_id on users (id);
    create table rooms (
        id serial primary key, name varchar not null, description text, is_private boolean,
        owner_id integer references users (id),
        created_at timestamptz default now(), updated_at timestamptz);
    create index ix_rooms_id on rooms (id);
    create table user_rooms (
        user_id integer references users (id), room_id integer references rooms (id));
    insert into users (username, email, hashed_password, is_active) values
        ('ana', 'ana@example.org', '$2b$12$a', true),
        ('Bo', 'not an address', '', null),
        ('çé', 'c@example.org', 'x', false);
    insert into rooms (name, is_private, owner_id, created_at) values
        ('open', false, 1, '2025-01-02 03:04:05+00'), ('closed', true, 2, now()),
        ('unknown', null, 1, null), ('nobody''s', false, null, now());
    insert into user_rooms values (1, 1), (1, 1), (2, 1), (null, 1), (1, null);";

const MESSAGES: &str = "
    create table messages (
        id serial primary key, content text not null,
        sender_id integer not null references users (id),
        room_id integer not null references rooms (id),
        file_id integer references file_uploads (id),
        created_at timestamptz default now());
    create index ix_messages_id on messages (id);
    insert into messages (content, sender_id, room_id, file_id, created_at) values
        ('hola', 1, 1, 1, now()), ('', 2, 1, null, null), ('late', 1, 2, null, '2024-02-03 UTC');";

const FILES_A: &str = "
    create table file_uploads (
        id serial primary key, original_filename varchar not null,
        stored_filename varchar not null, file_size integer not null,
        content_type varchar not null, public_url varchar not null,
        uploader_id integer not null references users (id),
        uploaded_at timestamptz default now());
    create index ix_file_uploads_id on file_uploads (id);
    insert into file_uploads
        (original_filename, stored_filename, file_size, content_type, public_url, uploader_id)
        values ('a.png', 'x_a.png', 10, 'image/png', 'https://h/x_a.png', 1);";

const FILES_B: &str = "
    create table file_uploads (
        id serial primary key, filename varchar not null, file_path varchar not null,
        file_url varchar not null, file_size integer not null, content_type varchar not null,
        description text, user_id integer not null references users (id),
        room_id integer references rooms (id), uploaded_at timestamptz default now());
    create index ix_file_uploads_id on file_uploads (id);
    insert into file_uploads (filename, file_path, file_url, file_size, content_type, user_id)
        values ('a.png', '1/x_a.png', 'https://h/1/x_a.png', 10, 'image/png', 1);";

/// A database of the first generation, with data.
pub(crate) async fn create_generation_a(client: &Client) {
    execute(client, &[SHARED, FILES_A, MESSAGES].concat()).await;
}

/// A database of the second generation, with data.
pub(crate) async fn create_generation_b(client: &Client) {
    execute(client, &[SHARED, FILES_B, MESSAGES].concat()).await;
}

pub(crate) async fn execute(client: &Client, statements: &str) {
    client
        .batch_execute(statements)
        .await
        .expect("the statements of the test are right");
}

/// Every column, constraint, index, sequence, trigger and function, one per line, sorted; but
/// for diesel's own table.
pub(crate) async fn describe_schema(client: &Client) -> Vec<String> {
    lines(
        client,
        "select format('column %s.%s %s %s %s', table_name, column_name, data_type,
                case is_nullable when 'NO' then 'not null' else 'null' end,
                coalesce(column_default, '-'))
         from information_schema.columns
         where table_schema = 'public' and table_name not like '\\_\\_diesel%'
         union all
         select format('constraint %s %s', conname, pg_get_constraintdef(oid))
         from pg_constraint
         where connamespace = 'public'::regnamespace and contype <> 'n'
             and conrelid::regclass::text not like '\\_\\_diesel%'
         union all
         select indexdef from pg_indexes
         where schemaname = 'public' and tablename not like '\\_\\_diesel%'
         union all
         select format('sequence %s %s owned by %s.%s', relname, format_type(seqtypid, null),
                refobjid::regclass, attname)
         from pg_class
         join pg_sequence on seqrelid = pg_class.oid
         join pg_depend on objid = pg_class.oid and deptype = 'a'
         join pg_attribute on attrelid = refobjid and attnum = refobjsubid
         where relnamespace = 'public'::regnamespace
         union all
         select format('trigger %s on %s', tgname, tgrelid::regclass)
         from pg_trigger where not tgisinternal
         union all
         select format('function %s', proname)
         from pg_proc where pronamespace = 'public'::regnamespace
         order by 1",
    )
    .await
}

/// Every row of our tables as JSON, one per line.
pub(crate) async fn dump(client: &Client) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["users", "rooms", "user_rooms", "file_uploads", "messages"] {
        let query =
            format!("select '{table} ' || row_to_json({table})::text from {table} order by 1");
        rows.extend(lines(client, &query).await);
    }
    rows
}

pub(crate) async fn lines(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(query, &[]).await.expect("the query is right");
    rows.into_iter().map(|row| row.get(0)).collect()
}
