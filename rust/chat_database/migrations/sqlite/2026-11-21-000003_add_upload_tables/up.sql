-- Objects of the store that no row stands for, yet or any more: they are
-- deleted once they are due.
create table if not exists pending_objects (
    object_key text not null primary key,
    due_at text not null
);
create index if not exists ix_pending_objects_due_at on pending_objects (due_at);

-- The files that have a thumbnail.
create table if not exists file_thumbnails (
    file_id integer not null primary key
);

-- Who may see a file is decided by the messages that carry it.
create index if not exists ix_messages_file_id on messages (file_id) where file_id is not null;
