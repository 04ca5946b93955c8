drop table if exists compat_messages;
drop table if exists compat_room_members;
drop table if exists compat_rooms;
drop table if exists compat_accounts;
