-- Accounts, rooms and messages of the sibling systems that keep them: ws-hub
-- and webrtc, told apart by the column "system". Clients see public ids only.

create table if not exists compat_accounts (
    id integer not null primary key autoincrement,
    system text not null,
    public_id text not null,
    username text not null,
    -- The username in lower case, for searches on every database alike.
    search_name text not null,
    email text not null,
    hashed_password text not null,
    created_at text not null
);
create unique index if not exists ix_compat_accounts_public_id on compat_accounts (system, public_id);
create unique index if not exists ix_compat_accounts_username on compat_accounts (system, username);
create unique index if not exists ix_compat_accounts_email on compat_accounts (system, email);

create table if not exists compat_rooms (
    id integer not null primary key autoincrement,
    system text not null,
    public_id text not null,
    name text not null,
    kind text not null,
    description text not null default '',
    creator_id integer references compat_accounts (id) on delete set null,
    -- Set for a private room: there is one for each pair.
    pair_key text,
    created_at text not null
);
create unique index if not exists ix_compat_rooms_public_id on compat_rooms (system, public_id);
create unique index if not exists ix_compat_rooms_pair_key on compat_rooms (system, pair_key);
create unique index if not exists ix_compat_rooms_name on compat_rooms (name) where system = 'webrtc';

create table if not exists compat_room_members (
    -- The order of joining.
    id integer not null primary key autoincrement,
    room_id integer not null references compat_rooms (id) on delete cascade,
    account_id integer not null references compat_accounts (id) on delete cascade
);
create unique index if not exists ix_compat_room_members_room on compat_room_members (room_id, account_id);
create index if not exists ix_compat_room_members_account on compat_room_members (account_id);

create table if not exists compat_messages (
    id integer not null primary key autoincrement,
    public_id text not null,
    room_id integer not null references compat_rooms (id) on delete cascade,
    -- The public id of an account, which may be gone.
    sender_id text not null,
    sender_name text not null,
    content text not null default '',
    image_url text,
    created_at text not null
);
create unique index if not exists ix_compat_messages_public_id on compat_messages (public_id);
create index if not exists ix_compat_messages_room on compat_messages (room_id, created_at desc, id desc);
