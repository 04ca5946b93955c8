drop index if exists ix_file_uploads_uploader;
drop index if exists ix_user_rooms_user_id;
drop index if exists ix_user_rooms_room_id;
drop index if exists ix_messages_room_id_created_at_id;
