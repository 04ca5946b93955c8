-- The PostgreSQL schema in SQLite's terms. Times are UTC text of one fixed
-- form and are always written by the application; autoincrement, so that the
-- id of a deleted row is never given out again.

create table if not exists users (
    id integer not null primary key autoincrement,
    username text not null,
    email text not null,
    hashed_password text not null,
    full_name text,
    is_active boolean,
    created_at text,
    updated_at text
);
create unique index if not exists ix_users_username on users (username);
create unique index if not exists ix_users_email on users (email);

create table if not exists rooms (
    id integer not null primary key autoincrement,
    name text not null,
    description text,
    is_private boolean,
    owner_id integer,
    created_at text,
    updated_at text,
    constraint rooms_owner_id_fkey foreign key (owner_id) references users (id)
);

create table if not exists user_rooms (
    user_id integer,
    room_id integer,
    constraint user_rooms_user_id_fkey foreign key (user_id) references users (id),
    constraint user_rooms_room_id_fkey foreign key (room_id) references rooms (id)
);

create table if not exists file_uploads (
    id integer not null primary key autoincrement,
    original_filename text not null,
    stored_filename text not null,
    file_size integer not null,
    content_type text not null,
    public_url text not null,
    uploader_id integer not null,
    uploaded_at text,
    constraint file_uploads_uploader_id_fkey foreign key (uploader_id) references users (id)
);

create table if not exists messages (
    id integer not null primary key autoincrement,
    content text not null,
    sender_id integer not null,
    room_id integer not null,
    file_id integer,
    created_at text,
    constraint messages_sender_id_fkey foreign key (sender_id) references users (id),
    constraint messages_room_id_fkey foreign key (room_id) references rooms (id),
    constraint messages_file_id_fkey foreign key (file_id) references file_uploads (id)
);
