drop table if exists compat_call_room_members;
drop table if exists compat_call_rooms;
drop table if exists compat_calls;
drop table if exists compat_call_users;
