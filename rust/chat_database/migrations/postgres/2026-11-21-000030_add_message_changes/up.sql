-- What happened to messages after they were stored. Beside the original's tables,
-- as the order of messages is; the text itself is changed in place, so that a
-- process of the original shows it too.

-- The number of the last change in each room.
create table if not exists room_changes (
    room_id integer,
    last_change bigint not null,
    constraint room_changes_pkey primary key (room_id)
);

-- The last change of each message that was changed. It belongs to the message only
-- as long as that has the same number: an id is given out twice where somebody
-- reset the ids of messages.
create table if not exists message_changes (
    message_id integer,
    room_id integer not null,
    seq bigint not null,
    change bigint not null,
    edited_at timestamp with time zone,
    deleted_at timestamp with time zone,
    deleted_by integer,
    constraint message_changes_pkey primary key (message_id),
    constraint message_changes_room_id_change_key unique (room_id, change)
);

-- Which change somebody's own id of it stands for.
create table if not exists change_receipts (
    user_id integer,
    room_id integer,
    client_id text,
    message_id integer not null,
    seq bigint not null,
    change bigint,
    changed_at timestamp with time zone not null,
    created_at timestamp with time zone not null,
    constraint change_receipts_pkey primary key (user_id, room_id, client_id)
);
create index if not exists ix_change_receipts_created_at on change_receipts (created_at);
