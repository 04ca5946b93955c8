//! The tables, for both back ends.
//!
//! Written by hand because one description serves PostgreSQL and SQLite: the
//! only type that differs between them is the time stamp, which is a type of
//! this crate (`timestamp.rs`). Every time stamp column of the original is nullable, in
//! old databases there are rows without one.
//!
//! `file_uploads` exists in two layouts, see `FileLayout`: the first
//! generation's, which is also what a new database gets, and the second's.

pub(crate) mod compat;

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    users (id) {
        id -> Integer,
        username -> Text,
        email -> Text,
        hashed_password -> Text,
        full_name -> Nullable<Text>,
        is_active -> Nullable<Bool>,
        created_at -> Nullable<crate::timestamp::UtcTime>,
        updated_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    rooms (id) {
        id -> Integer,
        name -> Text,
        description -> Nullable<Text>,
        is_private -> Nullable<Bool>,
        owner_id -> Nullable<Integer>,
        created_at -> Nullable<crate::timestamp::UtcTime>,
        updated_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// The memberships. The pair is not unique: old databases hold doubled
    /// rows. diesel wants a key, no query uses it.
    user_rooms (user_id, room_id) {
        user_id -> Nullable<Integer>,
        room_id -> Nullable<Integer>,
    }
}

table! {
    messages (id) {
        id -> Integer,
        content -> Text,
        sender_id -> Integer,
        room_id -> Integer,
        file_id -> Nullable<Integer>,
        created_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// Layout A.
    file_uploads (id) {
        id -> Integer,
        original_filename -> Text,
        stored_filename -> Text,
        file_size -> Integer,
        content_type -> Text,
        public_url -> Text,
        uploader_id -> Integer,
        uploaded_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// Layout B. Its `description` and `room_id` are served by no route.
    #[sql_name = "file_uploads"]
    file_uploads_b (id) {
        id -> Integer,
        filename -> Text,
        file_path -> Text,
        file_size -> Integer,
        content_type -> Text,
        file_url -> Text,
        user_id -> Integer,
        uploaded_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// Objects without a row in `file_uploads`, and when they are to be deleted.
    /// (The time is never null; only so can chrono's type be compared with it.)
    pending_objects (object_key) {
        object_key -> Text,
        due_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// The files that have a thumbnail.
    file_thumbnails (file_id) {
        file_id -> Integer,
    }
}

table! {
    /// The highest number given out in each room. (The database keeps it up to date.)
    room_sequences (room_id) {
        room_id -> Integer,
        last_seq -> BigInt,
        unnumbered -> BigInt,
    }
}

table! {
    /// The number of each message in its room. (The database writes it.)
    message_sequence (room_id, seq) {
        room_id -> Integer,
        seq -> BigInt,
        message_id -> Integer,
    }
}

table! {
    /// Which message a sender's own id of it stands for. (The time is never null,
    /// as in `pending_objects`.)
    message_receipts (sender_id, room_id, client_id) {
        sender_id -> Integer,
        room_id -> Integer,
        client_id -> Text,
        message_id -> Integer,
        created_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    /// How far each user has read in each room.
    read_markers (user_id, room_id) {
        user_id -> Integer,
        room_id -> Integer,
        seq -> BigInt,
    }
}

table! {
    /// The number of the last change in each room.
    room_changes (room_id) {
        room_id -> Integer,
        last_change -> BigInt,
    }
}

table! {
    /// The last change of each message that was changed.
    message_changes (message_id) {
        message_id -> Integer,
        room_id -> Integer,
        seq -> BigInt,
        change -> BigInt,
        edited_at -> Nullable<crate::timestamp::UtcTime>,
        deleted_at -> Nullable<crate::timestamp::UtcTime>,
        deleted_by -> Nullable<Integer>,
    }
}

table! {
    /// Which change somebody's own id of it stands for. (The times are never null, as
    /// in `pending_objects`.)
    change_receipts (user_id, room_id, client_id) {
        user_id -> Integer,
        room_id -> Integer,
        client_id -> Text,
        message_id -> Integer,
        seq -> BigInt,
        change -> Nullable<BigInt>,
        changed_at -> Nullable<crate::timestamp::UtcTime>,
        created_at -> Nullable<crate::timestamp::UtcTime>,
    }
}

joinable!(rooms -> users (owner_id));
joinable!(messages -> users (sender_id));
joinable!(messages -> rooms (room_id));
joinable!(message_sequence -> messages (message_id));
joinable!(message_receipts -> messages (message_id));
joinable!(message_changes -> messages (message_id));
joinable!(file_uploads -> users (uploader_id));
joinable!(file_uploads_b -> users (user_id));

allow_tables_to_appear_in_same_query!(
    users,
    rooms,
    user_rooms,
    messages,
    message_sequence,
    message_receipts,
    message_changes,
    file_uploads,
    file_uploads_b
);
allow_tables_to_appear_in_same_query!(room_sequences, read_markers);
allow_tables_to_appear_in_same_query!(room_sequences, room_changes);
