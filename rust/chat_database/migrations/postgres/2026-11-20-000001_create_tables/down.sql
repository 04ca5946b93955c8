drop table if exists messages;
drop table if exists file_uploads;
drop table if exists user_rooms;
drop table if exists rooms;
drop table if exists users;
