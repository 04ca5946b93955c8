-- The number of every message in its room, contiguous from 1, and what senders
-- called their messages.

-- The highest number given out in each room, and how many of its messages are
-- older than this migration and wait for their numbers.
create table if not exists room_sequences (
    room_id integer not null primary key,
    last_seq integer not null,
    unnumbered integer not null default 0
);

create table if not exists message_sequence (
    room_id integer not null,
    seq integer not null,
    message_id integer not null unique,
    primary key (room_id, seq)
) without rowid;

-- Which message a sender's own id of it stands for.
create table if not exists message_receipts (
    sender_id integer not null,
    room_id integer not null,
    client_id text not null,
    message_id integer not null,
    created_at text not null,
    primary key (sender_id, room_id, client_id)
) without rowid;
create index if not exists ix_message_receipts_created_at on message_receipts (created_at);

-- Numbers every message, whoever inserts it.
create trigger if not exists number_messages after insert on messages
begin
    insert into room_sequences (room_id, last_seq) values (new.room_id, 1)
        on conflict (room_id) do update set last_seq = last_seq + 1;
    insert into message_sequence (room_id, seq, message_id)
        select room_id, last_seq, new.id from room_sequences where room_id = new.room_id
        -- An id is given out twice only where somebody reset the ids of messages.
        on conflict (message_id) do update set room_id = excluded.room_id, seq = excluded.seq;
end;

-- The messages that the trigger has not numbered get the first numbers once this
-- has been committed, see numbering.rs.
insert into room_sequences (room_id, last_seq, unnumbered)
select room_id, count(*), count(*) from messages where true group by room_id
on conflict (room_id) do nothing;
