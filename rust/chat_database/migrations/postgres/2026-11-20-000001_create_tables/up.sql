-- The schema of the original service (first generation), name by name. On its
-- databases everything is there already and nothing happens; the second
-- generation's differ in file_uploads, which stays as it is.

create table if not exists users (
    id serial,
    username character varying not null,
    email character varying not null,
    hashed_password character varying not null,
    full_name character varying,
    is_active boolean,
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone,
    constraint users_pkey primary key (id)
);
create unique index if not exists ix_users_username on users (username);
create unique index if not exists ix_users_email on users (email);
create index if not exists ix_users_id on users (id);

create table if not exists rooms (
    id serial,
    name character varying not null,
    description text,
    is_private boolean,
    owner_id integer,
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone,
    constraint rooms_pkey primary key (id),
    constraint rooms_owner_id_fkey foreign key (owner_id) references users (id)
);
create index if not exists ix_rooms_id on rooms (id);

create table if not exists user_rooms (
    user_id integer,
    room_id integer,
    constraint user_rooms_user_id_fkey foreign key (user_id) references users (id),
    constraint user_rooms_room_id_fkey foreign key (room_id) references rooms (id)
);

create table if not exists file_uploads (
    id serial,
    original_filename character varying not null,
    stored_filename character varying not null,
    file_size integer not null,
    content_type character varying not null,
    public_url character varying not null,
    uploader_id integer not null,
    uploaded_at timestamp with time zone default now(),
    constraint file_uploads_pkey primary key (id),
    constraint file_uploads_uploader_id_fkey foreign key (uploader_id) references users (id)
);
create index if not exists ix_file_uploads_id on file_uploads (id);

create table if not exists messages (
    id serial,
    content text not null,
    sender_id integer not null,
    room_id integer not null,
    file_id integer,
    created_at timestamp with time zone default now(),
    constraint messages_pkey primary key (id),
    constraint messages_sender_id_fkey foreign key (sender_id) references users (id),
    constraint messages_room_id_fkey foreign key (room_id) references rooms (id),
    constraint messages_file_id_fkey foreign key (file_id) references file_uploads (id)
);
create index if not exists ix_messages_id on messages (id);
