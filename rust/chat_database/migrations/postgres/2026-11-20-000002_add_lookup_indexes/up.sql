-- What history, membership and file lists are looked up by.

create index if not exists ix_messages_room_id_created_at_id
    on messages (room_id, created_at desc, id desc);
create index if not exists ix_user_rooms_room_id on user_rooms (room_id);
create index if not exists ix_user_rooms_user_id on user_rooms (user_id);

-- The column is called uploader_id in the first layout of the table and
-- user_id in the second.
do $$
begin
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('file_uploads') and attname = 'uploader_id'
            and not attisdropped
    ) then
        create index if not exists ix_file_uploads_uploader on file_uploads (uploader_id);
    else
        create index if not exists ix_file_uploads_uploader on file_uploads (user_id);
    end if;
end
$$;
