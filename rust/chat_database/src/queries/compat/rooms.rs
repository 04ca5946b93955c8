//! Rooms of the sibling systems and who takes part in them.

use std::collections::{HashMap, HashSet};

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};

use super::{Connection, RunQueryDsl, accounts, lock_compat_room};
use crate::backend::among;
use crate::error::DatabaseError;
use crate::models::Joined;
use crate::models::compat::{
    CreatedRoom, Left, NewRoom, Person, ROOM_COLUMNS, Room, RoomKind, RoomToMake, RoomWithPeople,
    System,
};
use crate::schema::compat::{compat_accounts, compat_room_members, compat_rooms};
use crate::timestamp::{Moment, now};

/// The columns of a new room that its kind decides.
struct Columns<'a> {
    name: String,
    kind: RoomKind,
    description: &'a str,
    pair_key: Option<String>,
}

/// Needs a transaction: room and participants are created together.
pub(crate) async fn create(
    connection: &mut Connection,
    new: &NewRoom,
) -> Result<CreatedRoom, DatabaseError> {
    // The creator first, then the given order.
    let mut seen = HashSet::new();
    let mut ids: Vec<String> = std::iter::once(&new.creator)
        .chain(&new.others)
        .filter(|id| seen.insert(id.as_str()))
        .cloned()
        .collect();
    let known = accounts::find_people(connection, new.system, ids.clone()).await?;
    let Some(creator) = known.get(&new.creator).map(|(key, _)| *key) else {
        return Ok(CreatedRoom::NoCreator);
    };
    let Some(people) = ids
        .iter()
        .map(|id| known.get(id).map(|(key, name)| (*key, name.as_str())))
        .collect::<Option<Vec<_>>>()
    else {
        return Ok(CreatedRoom::NoParticipant);
    };
    let columns = columns(&new.room, &people, &mut ids);
    let inserted = diesel::insert_into(compat_rooms::table)
        .values((
            compat_rooms::system.eq(new.system.as_str()),
            compat_rooms::public_id.eq(&new.id),
            compat_rooms::name.eq(&columns.name),
            compat_rooms::kind.eq(columns.kind.as_str()),
            compat_rooms::description.eq(columns.description),
            compat_rooms::creator_id.eq(Some(creator)),
            compat_rooms::pair_key.eq(&columns.pair_key),
            compat_rooms::created_at.eq(Moment(now())),
        ))
        .on_conflict_do_nothing()
        .returning(ROOM_COLUMNS)
        .get_result::<Room>(connection)
        .await
        .optional()?;
    let Some(room) = inserted else {
        return match columns.pair_key {
            Some(pair) => find_pair(connection, new.system, &pair).await,
            None => Ok(CreatedRoom::NameTaken),
        };
    };
    for (key, _) in &people {
        insert_member(connection, room.key.0, *key).await?;
    }
    with_people(connection, vec![room])
        .await?
        .pop()
        .map(CreatedRoom::Created)
        .ok_or_else(|| DatabaseError::internal("a new room was not found"))
}

/// `ids` are the participants' and are sorted by this.
fn columns<'a>(room: &'a RoomToMake, people: &[(i64, &str)], ids: &mut [String]) -> Columns<'a> {
    match room {
        RoomToMake::Private => {
            ids.sort_unstable();
            let names: Vec<&str> = people.iter().map(|(_, name)| *name).collect();
            Columns {
                name: names.join(" & "),
                kind: RoomKind::Private,
                description: "",
                pair_key: Some(ids.join(":")),
            }
        }
        RoomToMake::Group { name } => Columns {
            name: name.clone(),
            kind: RoomKind::Group,
            description: "",
            pair_key: None,
        },
        RoomToMake::Public { name, description } => Columns {
            name: name.clone(),
            kind: RoomKind::Public,
            description,
            pair_key: None,
        },
    }
}

async fn find_pair(
    connection: &mut Connection,
    system: System,
    pair: &str,
) -> Result<CreatedRoom, DatabaseError> {
    let room = compat_rooms::table
        .filter(compat_rooms::system.eq(system.as_str()))
        .filter(compat_rooms::pair_key.eq(pair))
        .select(ROOM_COLUMNS)
        .get_result::<Room>(connection)
        .await?;
    with_people(connection, vec![room])
        .await?
        .pop()
        .map(CreatedRoom::Existing)
        .ok_or_else(|| DatabaseError::internal("the room of a pair was not found"))
}

pub(crate) async fn find(
    connection: &mut Connection,
    system: System,
    id: &str,
) -> Result<Option<RoomWithPeople>, DatabaseError> {
    let Some(room) = find_row(connection, system, id).await? else {
        return Ok(None);
    };
    Ok(with_people(connection, vec![room]).await?.pop())
}

pub(crate) async fn find_row(
    connection: &mut Connection,
    system: System,
    id: &str,
) -> Result<Option<Room>, DatabaseError> {
    let room = compat_rooms::table
        .filter(compat_rooms::system.eq(system.as_str()))
        .filter(compat_rooms::public_id.eq(id))
        .select(ROOM_COLUMNS)
        .get_result::<Room>(connection)
        .await
        .optional()?;
    Ok(room)
}

/// Newest first.
pub(crate) async fn list_of_account(
    connection: &mut Connection,
    system: System,
    account: &str,
) -> Result<Vec<RoomWithPeople>, DatabaseError> {
    let rooms = compat_rooms::table
        .filter(
            compat_rooms::id.eq_any(
                compat_room_members::table
                    .inner_join(compat_accounts::table)
                    .filter(compat_accounts::system.eq(system.as_str()))
                    .filter(compat_accounts::public_id.eq(account))
                    .select(compat_room_members::room_id),
            ),
        )
        .order((compat_rooms::created_at.desc(), compat_rooms::id.desc()))
        .select(ROOM_COLUMNS)
        .load::<Room>(connection)
        .await?;
    with_people(connection, rooms).await
}

/// Newest first.
pub(crate) async fn list_public(
    connection: &mut Connection,
    system: System,
) -> Result<Vec<RoomWithPeople>, DatabaseError> {
    let rooms = compat_rooms::table
        .filter(compat_rooms::system.eq(system.as_str()))
        .filter(compat_rooms::kind.eq(RoomKind::Public.as_str()))
        .order((compat_rooms::created_at.desc(), compat_rooms::id.desc()))
        .select(ROOM_COLUMNS)
        .load::<Room>(connection)
        .await?;
    with_people(connection, rooms).await
}

/// None if there is no such room or account. Of any number of calls at once for
/// the same pair one adds the row.
pub(crate) async fn add_member(
    connection: &mut Connection,
    system: System,
    room: &str,
    account: &str,
) -> Result<Option<Joined>, DatabaseError> {
    let Some((room, account)) = find_keys(connection, system, room, account).await? else {
        return Ok(None);
    };
    // Leaving may delete the room at the same moment.
    if !lock_compat_room(connection, room).await? {
        return Ok(None);
    }
    let added = insert_member(connection, room, account).await?;
    Ok(Some(if added {
        Joined::Added
    } else {
        Joined::Already
    }))
}

/// False if there was no such participant.
pub(crate) async fn remove_member(
    connection: &mut Connection,
    system: System,
    room: &str,
    account: &str,
) -> Result<bool, DatabaseError> {
    let Some((room, account)) = find_keys(connection, system, room, account).await? else {
        return Ok(false);
    };
    delete_member(connection, room, account).await
}

/// Removes a participant, and with too few left the room and its messages. Needs
/// a transaction: the lock on the room makes two leavings at once take turns.
pub(crate) async fn leave(
    connection: &mut Connection,
    system: System,
    room_id: &str,
    account: &str,
) -> Result<Left, DatabaseError> {
    let Some(room) = find_row(connection, system, room_id).await? else {
        return Ok(Left::NoRoom);
    };
    if !lock_compat_room(connection, room.key.0).await? {
        return Ok(Left::NoRoom);
    }
    let Some((_, account)) = find_keys(connection, system, room_id, account).await? else {
        return Ok(Left::NotAMember);
    };
    if !delete_member(connection, room.key.0, account).await? {
        return Ok(Left::NotAMember);
    }
    let (key, fewest) = (room.key.0, room.kind.fewest_participants());
    let rest = with_people(connection, vec![room])
        .await?
        .pop()
        .ok_or_else(|| DatabaseError::internal("a locked room was not found"))?;
    if rest.participants.len() >= fewest {
        return Ok(Left::Remains(rest));
    }
    diesel::delete(compat_rooms::table.find(key))
        .execute(connection)
        .await?;
    Ok(Left::Deleted(rest.participants))
}

/// The keys of the room and the account, if both exist.
async fn find_keys(
    connection: &mut Connection,
    system: System,
    room: &str,
    account: &str,
) -> Result<Option<(i64, i64)>, DatabaseError> {
    let Some(room) = find_row(connection, system, room).await? else {
        return Ok(None);
    };
    let account = accounts::find(connection, system, account).await?;
    Ok(account.map(|account| (room.key.0, account.key)))
}

async fn insert_member(
    connection: &mut Connection,
    room: i64,
    account: i64,
) -> Result<bool, DatabaseError> {
    let inserted = diesel::insert_into(compat_room_members::table)
        .values((
            compat_room_members::room_id.eq(room),
            compat_room_members::account_id.eq(account),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(inserted > 0)
}

async fn delete_member(
    connection: &mut Connection,
    room: i64,
    account: i64,
) -> Result<bool, DatabaseError> {
    let deleted = diesel::delete(
        compat_room_members::table
            .filter(compat_room_members::room_id.eq(room))
            .filter(compat_room_members::account_id.eq(account)),
    )
    .execute(connection)
    .await?;
    Ok(deleted > 0)
}

/// Adds creators and participants, in two queries for all rooms.
async fn with_people(
    connection: &mut Connection,
    rooms: Vec<Room>,
) -> Result<Vec<RoomWithPeople>, DatabaseError> {
    let members = compat_room_members::table
        .inner_join(compat_accounts::table)
        .filter(among(
            compat_room_members::room_id,
            rooms.iter().map(|room| room.key.0).collect::<Vec<_>>(),
        ))
        .order((compat_room_members::room_id, compat_room_members::id))
        .select((
            compat_room_members::room_id,
            compat_accounts::public_id,
            compat_accounts::username,
        ))
        .load::<(i64, String, String)>(connection)
        .await?;
    let mut participants: HashMap<i64, Vec<Person>> = HashMap::with_capacity(rooms.len());
    for (room, id, username) in members {
        let people = participants.entry(room).or_default();
        people.push(Person { id, username });
    }
    let creators: HashMap<i64, Person> = compat_accounts::table
        .filter(among(
            compat_accounts::id,
            rooms
                .iter()
                .filter_map(|room| room.creator_key)
                .collect::<Vec<_>>(),
        ))
        .select((
            compat_accounts::id,
            compat_accounts::public_id,
            compat_accounts::username,
        ))
        .load::<(i64, String, String)>(connection)
        .await?
        .into_iter()
        .map(|(key, id, username)| (key, Person { id, username }))
        .collect();
    Ok(rooms
        .into_iter()
        .map(|room| RoomWithPeople {
            creator: room.creator_key.and_then(|key| creators.get(&key).cloned()),
            participants: participants.remove(&room.key.0).unwrap_or_default(),
            room,
        })
        .collect())
}
