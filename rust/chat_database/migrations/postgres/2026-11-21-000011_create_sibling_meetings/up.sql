-- Meetings (system "meetings"). Who takes part and what is said is never stored.

create table if not exists compat_meetings (
    public_id text primary key,
    creator_id text not null,
    status text not null,
    created_at timestamp with time zone not null,
    ended_at timestamp with time zone,
    -- When the first participant came; null if nobody ever did.
    joined_at timestamp with time zone,
    -- Since when nobody is there.
    empty_since timestamp with time zone
);
create index if not exists ix_compat_meetings_active on compat_meetings (public_id) where status = 'active';
