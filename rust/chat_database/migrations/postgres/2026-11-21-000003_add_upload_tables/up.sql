-- Beside the original's tables, which stay as they are. Nothing refers to
-- file_uploads: a process of the original must be able to delete its rows.

-- Objects of the store that no row stands for, yet or any more: they are
-- deleted once they are due.
create table if not exists pending_objects (
    object_key character varying,
    due_at timestamp with time zone not null,
    constraint pending_objects_pkey primary key (object_key)
);
create index if not exists ix_pending_objects_due_at on pending_objects (due_at);

-- The files that have a thumbnail.
create table if not exists file_thumbnails (
    file_id integer,
    constraint file_thumbnails_pkey primary key (file_id)
);

-- Who may see a file is decided by the messages that carry it.
create index if not exists ix_messages_file_id on messages (file_id) where file_id is not null;
