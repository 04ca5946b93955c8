drop table if exists compat_meetings;
