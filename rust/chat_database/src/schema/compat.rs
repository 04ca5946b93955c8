//! The tables of the sibling systems; the older ones know nothing of them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    compat_accounts (id) {
        id -> BigInt,
        system -> Text,
        public_id -> Text,
        username -> Text,
        search_name -> Text,
        email -> Text,
        hashed_password -> Text,
        created_at -> crate::timestamp::UtcTime,
    }
}

table! {
    compat_rooms (id) {
        id -> BigInt,
        system -> Text,
        public_id -> Text,
        name -> Text,
        kind -> Text,
        description -> Text,
        creator_id -> Nullable<BigInt>,
        pair_key -> Nullable<Text>,
        created_at -> crate::timestamp::UtcTime,
    }
}

table! {
    compat_room_members (id) {
        id -> BigInt,
        room_id -> BigInt,
        account_id -> BigInt,
    }
}

table! {
    compat_messages (id) {
        id -> BigInt,
        public_id -> Text,
        room_id -> BigInt,
        sender_id -> Text,
        sender_name -> Text,
        content -> Text,
        image_url -> Nullable<Text>,
        created_at -> crate::timestamp::UtcTime,
    }
}

table! {
    compat_meetings (public_id) {
        public_id -> Text,
        creator_id -> Text,
        status -> Text,
        created_at -> crate::timestamp::UtcTime,
        ended_at -> Nullable<crate::timestamp::UtcTime>,
        joined_at -> Nullable<crate::timestamp::UtcTime>,
        empty_since -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    compat_call_users (id) {
        id -> BigInt,
        public_id -> Text,
        name -> Text,
        sip_peer -> Nullable<Text>,
        sip_attached_at -> Nullable<crate::timestamp::UtcTime>,
        owner_id -> Nullable<Integer>,
        created_at -> crate::timestamp::UtcTime,
    }
}

table! {
    compat_calls (id) {
        id -> BigInt,
        public_id -> Text,
        from_user_id -> BigInt,
        to_user_id -> BigInt,
        room_name -> Text,
        status -> Text,
        start_time -> crate::timestamp::UtcTime,
        end_time -> Nullable<crate::timestamp::UtcTime>,
    }
}

table! {
    compat_call_rooms (id) {
        id -> BigInt,
        public_id -> Text,
        name -> Text,
        room_name -> Text,
        created_at -> crate::timestamp::UtcTime,
    }
}

table! {
    compat_call_room_members (id) {
        id -> BigInt,
        room_id -> BigInt,
        user_id -> BigInt,
        joined_at -> crate::timestamp::UtcTime,
    }
}

joinable!(compat_room_members -> compat_accounts (account_id));
joinable!(compat_room_members -> compat_rooms (room_id));
joinable!(compat_messages -> compat_rooms (room_id));
joinable!(compat_call_room_members -> compat_call_users (user_id));
joinable!(compat_call_room_members -> compat_call_rooms (room_id));

allow_tables_to_appear_in_same_query!(
    compat_accounts,
    compat_rooms,
    compat_room_members,
    compat_messages
);
allow_tables_to_appear_in_same_query!(
    compat_call_users,
    compat_call_rooms,
    compat_call_room_members
);
