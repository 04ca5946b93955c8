-- What happened to messages after they were stored; the text itself is changed in
-- place.

-- The number of the last change in each room.
create table if not exists room_changes (
    room_id integer not null primary key,
    last_change integer not null
);

-- The last change of each message that was changed. It belongs to the message only
-- as long as that has the same number: an id is given out twice where the newest
-- message was deleted from the table.
create table if not exists message_changes (
    message_id integer not null primary key,
    room_id integer not null,
    seq integer not null,
    change integer not null,
    edited_at text,
    deleted_at text,
    deleted_by integer,
    unique (room_id, change)
);

-- Which change somebody's own id of it stands for.
create table if not exists change_receipts (
    user_id integer not null,
    room_id integer not null,
    client_id text not null,
    message_id integer not null,
    seq integer not null,
    change integer,
    changed_at text not null,
    created_at text not null,
    primary key (user_id, room_id, client_id)
) without rowid;
create index if not exists ix_change_receipts_created_at on change_receipts (created_at);
