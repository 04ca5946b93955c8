drop index if exists ix_messages_file_id;
drop table if exists file_thumbnails;
drop table if exists pending_objects;
