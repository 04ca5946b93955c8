-- How far each user has read in each room: everything up to this number.
create table if not exists read_markers (
    user_id integer,
    room_id integer,
    seq bigint not null,
    constraint read_markers_pkey primary key (user_id, room_id)
);
