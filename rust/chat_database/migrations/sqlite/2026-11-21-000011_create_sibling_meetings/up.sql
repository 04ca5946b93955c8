-- Meetings (system "meetings"). Who takes part and what is said is never stored.

create table if not exists compat_meetings (
    public_id text not null primary key,
    creator_id text not null,
    status text not null,
    created_at text not null,
    ended_at text,
    -- When the first participant came; null if nobody ever did.
    joined_at text,
    -- Since when nobody is there.
    empty_since text
);
create index if not exists ix_compat_meetings_active on compat_meetings (public_id) where status = 'active';
