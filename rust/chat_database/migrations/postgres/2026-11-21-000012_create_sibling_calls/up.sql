-- Users, calls and voice rooms (system "calls"). Tokens are never stored.

create table if not exists compat_call_users (
    id bigserial primary key,
    public_id text not null,
    name text not null,
    sip_peer text,
    sip_attached_at timestamp with time zone,
    -- The IzpoChat account that made it; null in open mode. Not a foreign key:
    -- nothing here may stand in the way of a change to an IzpoChat table.
    owner_id integer,
    created_at timestamp with time zone not null
);
create unique index if not exists ix_compat_call_users_public_id on compat_call_users (public_id);

create table if not exists compat_calls (
    id bigserial primary key,
    public_id text not null,
    from_user_id bigint not null references compat_call_users (id) on delete cascade,
    to_user_id bigint not null references compat_call_users (id) on delete cascade,
    room_name text not null,
    status text not null,
    start_time timestamp with time zone not null,
    end_time timestamp with time zone
);
create unique index if not exists ix_compat_calls_public_id on compat_calls (public_id);
create unique index if not exists ix_compat_calls_room_name on compat_calls (room_name);

create table if not exists compat_call_rooms (
    id bigserial primary key,
    public_id text not null,
    name text not null,
    room_name text not null,
    created_at timestamp with time zone not null
);
create unique index if not exists ix_compat_call_rooms_public_id on compat_call_rooms (public_id);
create unique index if not exists ix_compat_call_rooms_room_name on compat_call_rooms (room_name);

create table if not exists compat_call_room_members (
    id bigserial primary key,
    room_id bigint not null references compat_call_rooms (id) on delete cascade,
    user_id bigint not null references compat_call_users (id) on delete cascade,
    joined_at timestamp with time zone not null
);
create unique index if not exists ix_compat_call_room_members_room on compat_call_room_members (room_id, user_id);
