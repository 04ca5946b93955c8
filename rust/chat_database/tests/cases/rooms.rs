//! Rooms with owners and members, who may enter, changes.

use chat_database::{NewRoom, Page, RoomChanges};
use chat_protocol::ids::{RoomId, UserId};

use super::{ALL, Fixture, code};

#[tokio::test]
async fn the_creator_owns_the_room_and_is_in_it() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let created = fixture.room(ana.id, true).await;
    assert_eq!(created.room.owner_id, Some(ana.id));
    assert!(created.room.created_at.is_some());
    assert_eq!(created.owner.as_deref(), Some(&ana));
    assert_eq!(created.members.len(), 1);

    let found = fixture.database.find_room_details(created.room.id).await;
    assert_eq!(found.expect("a look-up"), Some(created));
    let nothing = fixture.database.find_room_details(RoomId(0)).await;
    assert_eq!(nothing.expect("a look-up"), None);
}

#[tokio::test]
async fn a_room_for_an_unknown_owner_leaves_nothing_behind() {
    let fixture = Fixture::new().await;
    let room = NewRoom {
        name: String::new(),
        description: None,
        is_private: false,
        owner_id: UserId(77),
    };
    let refused = fixture.database.create_room(room).await;
    assert_eq!(code(refused), "user_not_found");
    let rooms = fixture.place.count("select count(*) from rooms").await;
    assert_eq!(rooms, 0);
}

#[tokio::test]
async fn the_public_list_leaves_out_private_odd_and_ownerless_rooms() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    let public = fixture.room(ana.id, false).await.room.id;
    fixture.room(ana.id, true).await;
    let odd = fixture.room(ana.id, false).await.room.id;
    let ownerless = fixture.room(ana.id, false).await.room.id;
    let second = fixture.room(bo.id, false).await.room.id;
    fixture
        .execute(&format!(
            "update rooms set is_private = null where id = {odd};
             update rooms set owner_id = null where id = {ownerless};"
        ))
        .await;
    let database = &fixture.database;
    database.add_member(public, bo.id).await.expect("a join");

    let list = database.list_public_rooms(ALL).await.expect("a list");
    let ids: Vec<_> = list.iter().map(|details| details.room.id).collect();
    assert_eq!(ids, [public, second]);
    let members: Vec<_> = list[0].members.iter().map(|user| user.id).collect();
    assert_eq!(members, [ana.id, bo.id]);
    assert_eq!(list[1].owner.as_deref(), Some(&bo));

    let page = Page { skip: 1, limit: 1 };
    let list = database.list_public_rooms(page).await.expect("a list");
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].room.id, second);

    // They are not advertised, but they work.
    let access = database.find_room_access(odd, bo.id).await;
    assert!(access.expect("a look-up").expect("a room").allows(bo.id));
    let details = database.find_room_details(ownerless).await;
    assert_eq!(details.expect("a look-up").expect("a room").owner, None);
    let mine = database.list_rooms_of_user(ana.id).await.expect("a list");
    assert_eq!(mine.len(), 4);
}

#[tokio::test]
async fn doubled_memberships_are_listed_once() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    let room = fixture.room(bo.id, true).await.room.id;
    let row = format!(
        "insert into user_rooms (user_id, room_id) values ({}, {room});",
        ana.id
    );
    fixture.execute(&row.repeat(3)).await;
    fixture
        .execute("insert into user_rooms (user_id, room_id) values (null, null)")
        .await;

    let database = &fixture.database;
    let rooms = database.list_rooms_of_user(ana.id).await.expect("a list");
    assert_eq!(rooms.len(), 1);
    assert_eq!(rooms[0].details.members.len(), 2);
    let details = database.find_room_details(room).await;
    let details = details.expect("a look-up").expect("a room");
    assert_eq!(details.members, rooms[0].details.members);
    let members = database.list_members(room).await.expect("a list");
    assert_eq!(members, [ana, bo]);
}

#[tokio::test]
async fn members_and_owners_enter_private_rooms_and_everybody_public_ones() {
    let fixture = Fixture::new().await;
    let owner = fixture.user("owner").await.id;
    let member = fixture.user("member").await.id;
    let stranger = fixture.user("stranger").await.id;
    let database = &fixture.database;
    let allows = async |room, user| {
        let access = database.find_room_access(room, user).await;
        access.expect("a look-up").expect("a room").allows(user)
    };
    let public = fixture.room(owner, false).await.room.id;
    assert!(allows(public, stranger).await);

    let private = fixture.room(owner, true).await.room.id;
    database.add_member(private, member).await.expect("a join");
    assert!(allows(private, member).await);
    assert!(!allows(private, stranger).await);
    // An owner without a membership row, which old databases may hold.
    database
        .remove_member(private, owner)
        .await
        .expect("a removal");
    assert!(allows(private, owner).await);

    let nothing = database.find_room_access(RoomId(-1), owner).await;
    assert_eq!(nothing.expect("a look-up"), None);
}

#[tokio::test]
async fn a_room_changes_only_where_it_differs() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let created = fixture.room(ana.id, false).await;
    let update = async |changes| {
        let id = created.room.id;
        fixture.database.update_room(id, changes).await
    };
    let same = RoomChanges {
        name: Some("room".to_owned()),
        description: Some(None),
        is_private: Some(false),
    };
    assert_eq!(update(same).await.expect("an update"), created);
    assert_eq!(
        update(RoomChanges::default()).await.expect("an update"),
        created
    );

    let changes = RoomChanges {
        name: None,
        description: Some(Some("ñ".to_owned())),
        is_private: Some(true),
    };
    let changed = update(changes).await.expect("an update");
    assert_eq!(changed.room.name, "room");
    assert_eq!(changed.room.description.as_deref(), Some("ñ"));
    assert!(changed.room.is_private);
    assert!(changed.room.updated_at.is_some());
    assert_eq!(changed.members, created.members);
    let stored = fixture.database.find_room_details(created.room.id).await;
    assert_eq!(stored.expect("a look-up"), Some(changed));

    let unknown = fixture
        .database
        .update_room(RoomId(999), RoomChanges::default())
        .await;
    assert_eq!(code(unknown), "room_not_found");
}

#[tokio::test]
async fn a_long_list_has_the_right_people_in_every_room() {
    let fixture = Fixture::new().await;
    let mut users = Vec::new();
    for number in 0..5 {
        users.push(fixture.user(&format!("user{number}")).await.id);
    }
    for number in 0..60 {
        let room = fixture.room(users[number % 5], false).await.room.id;
        let second = users[(number + 1) % 5];
        fixture
            .database
            .add_member(room, second)
            .await
            .expect("a join");
    }
    let list = fixture
        .database
        .list_public_rooms(ALL)
        .await
        .expect("a list");
    assert_eq!(list.len(), 60);
    for (number, details) in list.iter().enumerate() {
        let owner = details.owner.as_ref().expect("an owner");
        assert_eq!(owner.id, users[number % 5]);
        let mut expected = [users[number % 5], users[(number + 1) % 5]];
        expected.sort_unstable();
        let members: Vec<_> = details.members.iter().map(|user| user.id).collect();
        assert_eq!(members, expected);
    }
}

#[tokio::test]
async fn lost_access_is_found_whoever_took_it() {
    let fixture = Fixture::new().await;
    let (ana, bo, eva) = (
        fixture.user("ana").await.id,
        fixture.user("bo").await.id,
        fixture.user("eva").await.id,
    );
    let public = fixture.room(ana, false).await.room.id;
    let private = fixture.room(ana, true).await.room.id;
    let database = &fixture.database;
    database.add_member(private, bo).await.expect("a join");
    let connected = vec![
        (ana, private),
        (bo, private),
        (eva, private),
        (bo, public),
        (eva, public),
    ];

    let lost = database.find_lost_access(connected.clone()).await;
    assert_eq!(lost.expect("a check"), [(eva, private)]);

    fixture
        .execute(&format!(
            "delete from user_rooms where user_id in ({ana}, {bo});
             update users set is_active = null where id = {eva};"
        ))
        .await;
    let lost = database.find_lost_access(connected).await;
    assert_eq!(
        lost.expect("a check"),
        [(bo, private), (eva, private), (eva, public)],
        "an owner needs no membership"
    );
    let nobody = database.find_lost_access(Vec::new()).await;
    assert_eq!(nobody.expect("a check"), []);
}

#[tokio::test]
async fn entries_are_found_for_many_at_once() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo \"ñ\" \\ {1,2}").await;
    let public = fixture.room(ana.id, false).await.room.id;
    let private = fixture.room(ana.id, true).await.room.id;
    let database = &fixture.database;
    database.add_member(private, bo.id).await.expect("a join");
    let eva = fixture.user("eva").await;
    let wanted = |name: &str, room: RoomId| (name.to_owned(), room);
    let entries = database
        .find_entries(vec![
            wanted(&bo.username, private),
            wanted("eva", private),
            wanted("eva", public),
            wanted("EVA", public),
            wanted("ana", RoomId(99)),
            wanted(&bo.username, private),
        ])
        .await
        .expect("entries");
    let seen: Vec<_> = entries
        .iter()
        .map(|(user, access)| {
            let user = user.as_ref().map(|user| user.id);
            let allowed = user
                .zip(access.as_ref())
                .is_some_and(|(user, access)| access.allows(user));
            (user, access.as_ref().map(|access| access.room.id), allowed)
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some(bo.id), Some(private), true),
            (Some(eva.id), Some(private), false),
            (Some(eva.id), Some(public), true),
            (None, Some(public), false),
            (Some(ana.id), None, false),
            (Some(bo.id), Some(private), true),
        ]
    );
    let nothing = database.find_entries(Vec::new()).await.expect("entries");
    assert_eq!(nothing, []);
}

#[tokio::test]
async fn whoever_is_in_a_room_that_is_gone_or_is_gone_has_lost_access() {
    let fixture = Fixture::new().await;
    let (ana, bo) = (fixture.user("ana").await.id, fixture.user("bo").await.id);
    let public = fixture.room(ana, false).await.room.id;
    let private = fixture.room(ana, true).await.room.id;
    let stays = fixture.room(ana, false).await.room.id;
    let rooms = [public, private, stays];
    let connected: Vec<_> = rooms
        .into_iter()
        .flat_map(|room| [(ana, room), (bo, room)])
        .filter(|pair| *pair != (bo, private))
        .collect();
    let check = async || {
        let lost = fixture.database.find_lost_access(connected.clone()).await;
        lost.expect("a check")
    };
    assert_eq!(check().await, []);
    fixture
        .execute(&format!(
            "delete from user_rooms where room_id in ({public}, {private});
             delete from rooms where id in ({public}, {private});"
        ))
        .await;
    assert_eq!(check().await, [(ana, public), (bo, public), (ana, private)]);
    fixture
        .execute(&format!("delete from users where id = {bo}"))
        .await;
    let lost = check().await;
    assert_eq!(lost.len(), 4);
    assert!(lost.contains(&(bo, stays)));
}
