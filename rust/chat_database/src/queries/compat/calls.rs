//! Users, calls and voice rooms of the system "calls".

use std::collections::HashMap;

use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::models::compat::{
    CALL_COLUMNS, CALL_ROOM_COLUMNS, CALL_USER_COLUMNS, Call, CallRoom, CallStatus, CallUser,
    CallWithParties, EndedCall, MediaRoom, NewCallUser,
};
use crate::schema::compat::{
    compat_call_room_members, compat_call_rooms, compat_call_users, compat_calls,
};
use crate::timestamp::{Moment, now};

pub(crate) async fn create_user(
    connection: &mut Connection,
    new: &NewCallUser,
) -> Result<CallUser, DatabaseError> {
    let user = diesel::insert_into(compat_call_users::table)
        .values((
            compat_call_users::public_id.eq(&new.id),
            compat_call_users::name.eq(&new.name),
            compat_call_users::owner_id.eq(new.owner.map(|owner| owner.0)),
            compat_call_users::created_at.eq(Moment(now())),
        ))
        .returning(CALL_USER_COLUMNS)
        .get_result::<CallUser>(connection)
        .await?;
    Ok(user)
}

/// In the order of their creation.
pub(crate) async fn list_users(
    connection: &mut Connection,
) -> Result<Vec<CallUser>, DatabaseError> {
    let users = compat_call_users::table
        .order(compat_call_users::id)
        .select(CALL_USER_COLUMNS)
        .load::<CallUser>(connection)
        .await?;
    Ok(users)
}

pub(crate) async fn find_user(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<CallUser>, DatabaseError> {
    let user = compat_call_users::table
        .filter(compat_call_users::public_id.eq(id))
        .select(CALL_USER_COLUMNS)
        .get_result::<CallUser>(connection)
        .await
        .optional()?;
    Ok(user)
}

pub(crate) async fn attach_device(
    connection: &mut Connection,
    user: &CallUser,
    sip_peer: &str,
) -> Result<CallUser, DatabaseError> {
    let user = diesel::update(compat_call_users::table.find(user.key))
        .set((
            compat_call_users::sip_peer.eq(Some(sip_peer)),
            compat_call_users::sip_attached_at.eq(Some(now())),
        ))
        .returning(CALL_USER_COLUMNS)
        .get_result::<CallUser>(connection)
        .await?;
    Ok(user)
}

pub(crate) async fn create_call(
    connection: &mut Connection,
    id: &str,
    room_name: &str,
    from: &CallUser,
    to: &CallUser,
) -> Result<Call, DatabaseError> {
    let call = diesel::insert_into(compat_calls::table)
        .values((
            compat_calls::public_id.eq(id),
            compat_calls::from_user_id.eq(from.key),
            compat_calls::to_user_id.eq(to.key),
            compat_calls::room_name.eq(room_name),
            compat_calls::status.eq(CallStatus::Initiated.as_str()),
            compat_calls::start_time.eq(Moment(now())),
        ))
        .returning(CALL_COLUMNS)
        .get_result::<Call>(connection)
        .await?;
    Ok(call)
}

/// The call with caller and callee.
pub(crate) async fn find_call(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<CallWithParties>, DatabaseError> {
    let call = compat_calls::table
        .filter(compat_calls::public_id.eq(id))
        .select(CALL_COLUMNS)
        .get_result::<Call>(connection)
        .await
        .optional()?;
    match call {
        Some(call) => with_parties(connection, call).await.map(Some),
        None => Ok(None),
    }
}

/// Of several calls at once for the same call, one makes the news. Needs a transaction.
pub(crate) async fn end_call(
    connection: &mut Connection,
    call: &Call,
) -> Result<EndedCall, DatabaseError> {
    let end_time = now();
    let changed = diesel::update(
        compat_calls::table
            .find(call.key)
            .filter(compat_calls::end_time.is_null()),
    )
    .set((
        compat_calls::status.eq(CallStatus::Ended.as_str()),
        compat_calls::end_time.eq(Some(end_time)),
    ))
    .execute(connection)
    .await?;
    let end_time = if changed > 0 {
        end_time
    } else {
        compat_calls::table
            .find(call.key)
            .select(compat_calls::end_time)
            .get_result::<Option<_>>(connection)
            .await?
            .unwrap_or(end_time)
    };
    Ok(EndedCall {
        id: call.id.clone(),
        end_time,
        is_news: changed > 0,
    })
}

/// The callee is there; without effect on a call that is not ringing.
pub(crate) async fn activate_call(
    connection: &mut Connection,
    call: &Call,
) -> Result<(), DatabaseError> {
    diesel::update(
        compat_calls::table
            .find(call.key)
            .filter(compat_calls::status.eq(CallStatus::Initiated.as_str())),
    )
    .set(compat_calls::status.eq(CallStatus::Active.as_str()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn create_room(
    connection: &mut Connection,
    id: &str,
    name: &str,
    room_name: &str,
) -> Result<CallRoom, DatabaseError> {
    let room = diesel::insert_into(compat_call_rooms::table)
        .values((
            compat_call_rooms::public_id.eq(id),
            compat_call_rooms::name.eq(name),
            compat_call_rooms::room_name.eq(room_name),
            compat_call_rooms::created_at.eq(Moment(now())),
        ))
        .returning(CALL_ROOM_COLUMNS)
        .get_result::<CallRoom>(connection)
        .await?;
    Ok(room)
}

/// In the order of their creation.
pub(crate) async fn list_rooms(
    connection: &mut Connection,
) -> Result<Vec<CallRoom>, DatabaseError> {
    let rooms = compat_call_rooms::table
        .order(compat_call_rooms::id)
        .select(CALL_ROOM_COLUMNS)
        .load::<CallRoom>(connection)
        .await?;
    with_participants(connection, rooms).await
}

pub(crate) async fn find_room(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<CallRoom>, DatabaseError> {
    let rooms = compat_call_rooms::table
        .filter(compat_call_rooms::public_id.eq(id))
        .select(CALL_ROOM_COLUMNS)
        .load::<CallRoom>(connection)
        .await?;
    Ok(with_participants(connection, rooms).await?.pop())
}

/// In the order of joining.
pub(crate) async fn list_room_users(
    connection: &mut Connection,
    room: &CallRoom,
) -> Result<Vec<CallUser>, DatabaseError> {
    let users = compat_call_room_members::table
        .inner_join(compat_call_users::table)
        .filter(compat_call_room_members::room_id.eq(room.key))
        .order(compat_call_room_members::id)
        .select(CALL_USER_COLUMNS)
        .load::<CallUser>(connection)
        .await?;
    Ok(users)
}

/// Joining again changes nothing.
pub(crate) async fn join_room(
    connection: &mut Connection,
    room: &CallRoom,
    user: &CallUser,
) -> Result<(), DatabaseError> {
    diesel::insert_into(compat_call_room_members::table)
        .values((
            compat_call_room_members::room_id.eq(room.key),
            compat_call_room_members::user_id.eq(user.key),
            compat_call_room_members::joined_at.eq(Moment(now())),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// What a name stands for: a call's or a room's, its `room_name` or its id.
pub(crate) async fn find_media_room(
    connection: &mut Connection,
    name: &str,
) -> Result<Option<MediaRoom>, DatabaseError> {
    let call = compat_calls::table
        .filter(
            compat_calls::room_name
                .eq(name)
                .or(compat_calls::public_id.eq(name)),
        )
        .select(CALL_COLUMNS)
        .load::<Call>(connection)
        .await?
        .pop();
    if let Some(call) = call {
        let call = with_parties(connection, call).await?;
        return Ok(Some(MediaRoom::Call(Box::new(call))));
    }
    let rooms = compat_call_rooms::table
        .filter(
            compat_call_rooms::room_name
                .eq(name)
                .or(compat_call_rooms::public_id.eq(name)),
        )
        .select(CALL_ROOM_COLUMNS)
        .load::<CallRoom>(connection)
        .await?;
    let room = with_participants(connection, rooms).await?.pop();
    Ok(room.map(MediaRoom::Room))
}

async fn with_parties(
    connection: &mut Connection,
    call: Call,
) -> Result<CallWithParties, DatabaseError> {
    let from = user_by_key(connection, call.from_key).await?;
    let to = user_by_key(connection, call.to_key).await?;
    Ok(CallWithParties { call, from, to })
}

async fn user_by_key(connection: &mut Connection, key: i64) -> Result<CallUser, DatabaseError> {
    let user = compat_call_users::table
        .find(key)
        .select(CALL_USER_COLUMNS)
        .get_result::<CallUser>(connection)
        .await?;
    Ok(user)
}

async fn with_participants(
    connection: &mut Connection,
    mut rooms: Vec<CallRoom>,
) -> Result<Vec<CallRoom>, DatabaseError> {
    let rows = compat_call_room_members::table
        .inner_join(compat_call_users::table)
        .filter(among(
            compat_call_room_members::room_id,
            rooms.iter().map(|room| room.key).collect::<Vec<_>>(),
        ))
        .order(compat_call_room_members::id)
        .select((
            compat_call_room_members::room_id,
            compat_call_users::public_id,
        ))
        .load::<(i64, String)>(connection)
        .await?;
    let mut participants: HashMap<i64, Vec<String>> = HashMap::with_capacity(rooms.len());
    for (room, user) in rows {
        participants.entry(room).or_default().push(user);
    }
    for room in &mut rooms {
        room.participants = participants.remove(&room.key).unwrap_or_default();
    }
    Ok(rooms)
}
