-- The number of every message in its room, contiguous from 1, and what senders
-- called their messages. Beside the original's tables: a column of messages
-- would need ALTER TABLE, whose lock waits for every session that is idle in a
-- transaction, with everybody else queued up behind it. Nothing refers to
-- messages, so that its rows can be deleted.

-- The highest number given out in each room, and how many of its messages are
-- older than this migration and wait for their numbers.
create table if not exists room_sequences (
    room_id integer,
    last_seq bigint not null,
    unnumbered bigint not null default 0,
    constraint room_sequences_pkey primary key (room_id)
);

create table if not exists message_sequence (
    room_id integer,
    seq bigint,
    message_id integer not null,
    constraint message_sequence_pkey primary key (room_id, seq),
    constraint message_sequence_message_id_key unique (message_id)
);

-- Which message a sender's own id of it stands for.
create table if not exists message_receipts (
    sender_id integer,
    room_id integer,
    client_id text,
    message_id integer not null,
    created_at timestamp with time zone not null,
    constraint message_receipts_pkey primary key (sender_id, room_id, client_id)
);
create index if not exists ix_message_receipts_created_at on message_receipts (created_at);

-- Numbers the messages of one insert, whoever inserts them. The counters stay
-- locked until the transaction ends: without gaps, the next one waits. Rooms are
-- taken in order, so that two inserts never wait for each other.
create or replace function number_messages() returns trigger
language plpgsql as $$
begin
    with counters as (
        insert into room_sequences as counter (room_id, last_seq)
        select room_id, count(*) from new_messages group by room_id order by room_id
        on conflict (room_id) do update set last_seq = counter.last_seq + excluded.last_seq
        returning counter.room_id, counter.last_seq
    )
    insert into message_sequence (room_id, seq, message_id)
    select room_id,
        last_seq + 1 - row_number() over (partition by room_id order by id desc),
        id
    from new_messages join counters using (room_id)
    -- An id is given out twice only where somebody reset the ids of messages.
    on conflict (message_id) do update set room_id = excluded.room_id, seq = excluded.seq;
    return null;
end
$$;

do $$
begin
    -- Who may insert messages needs no right on the tables here, and finds them
    -- whatever the search path is.
    execute format(
        'alter function number_messages() security definer set search_path = %I, pg_temp',
        current_schema()
    );
    revoke all on function number_messages() from public;
    -- "create or replace trigger" is younger than some servers, and "drop trigger"
    -- would need the lock that this migration avoids.
    if not exists (
        select from pg_trigger
        where tgrelid = to_regclass('messages') and tgname = 'number_messages'
    ) then
        create trigger number_messages after insert on messages
            referencing new table as new_messages
            for each statement execute function number_messages();
    end if;
end
$$;

-- Writers wait for the lock of the trigger, so this counts exactly the messages
-- that it does not number. They get the first numbers once this has been
-- committed, see numbering.rs.
insert into room_sequences (room_id, last_seq, unnumbered)
select room_id, count(*), count(*) from messages group by room_id
on conflict (room_id) do nothing;
