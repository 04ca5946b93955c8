-- How far each user has read in each room: everything up to this number.
create table if not exists read_markers (
    user_id integer not null,
    room_id integer not null,
    seq integer not null,
    primary key (user_id, room_id)
) without rowid;
