//! Messages that are edited and deleted.

use chat_database::{Alteration, Changed, ChangedMessage, MessageWriter, NewChange, NewMessage};
use chat_protocol::ids::{FileId, MessageId, RoomId, UserId};

use super::{ALL, Fixture, message, store};

/// Two users in a room, and a writer.
struct Scene {
    fixture: Fixture,
    ana: UserId,
    bo: UserId,
    room: RoomId,
    writer: MessageWriter,
}

fn edit(content: &str) -> Alteration {
    Alteration::Edit {
        content: content.to_owned(),
    }
}

impl Scene {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        assert!(fixture.database.changes_messages());
        let ana = fixture.user("ana").await.id;
        let bo = fixture.user("bo").await.id;
        let room = fixture.room(ana, false).await.room.id;
        let writer = fixture.writer().await;
        Self {
            fixture,
            ana,
            bo,
            room,
            writer,
        }
    }

    async fn say(&self, content: &str) -> MessageId {
        store(&self.writer, message(self.room, self.bo, content))
            .await
            .id
    }

    fn new_change(&self, message_id: MessageId, alteration: Alteration) -> NewChange {
        NewChange {
            room_id: self.room,
            message_id,
            user_id: self.bo,
            alteration,
            client_id: None,
        }
    }

    async fn make(&self, change: NewChange) -> Option<Changed> {
        let made = self.fixture.database.change_messages(vec![change]).await;
        made.expect("it is made").pop().expect("one outcome")
    }

    async fn change(&self, id: MessageId, alteration: Alteration) -> Changed {
        let change = self.new_change(id, alteration);
        self.make(change).await.expect("there is such a message")
    }

    async fn changes(&self, after: i64, limit: i64) -> Vec<ChangedMessage> {
        let listed = self
            .fixture
            .database
            .list_changes_after(self.room, after, limit);
        listed.await.expect("a list")
    }

    async fn numbers(&self, after: i64) -> Vec<(i64, MessageId)> {
        let changes = self.changes(after, 100).await;
        changes.iter().map(|it| (it.change, it.id)).collect()
    }
}

#[tokio::test]
async fn an_edit_changes_the_message_in_place_and_is_numbered() {
    let scene = Scene::new().await;
    let (first, second) = (scene.say("one").await, scene.say("two").await);
    let edited = scene.change(second, edit("TWO")).await;
    assert!(edited.is_new);
    assert_eq!((edited.receipt.seq, edited.receipt.change), (2, Some(1)));
    assert_eq!(edited.message.content, "TWO");
    assert_eq!(edited.message.edited_at, Some(edited.receipt.changed_at));
    assert_eq!(edited.message.deleted_at, None);
    assert_eq!(
        scene.change(first, edit("ONE")).await.receipt.change,
        Some(2)
    );

    let history = scene
        .fixture
        .database
        .list_messages(scene.room, ALL, Vec::new())
        .await
        .expect("a history");
    assert_eq!(history[0], edited.message);
    assert_eq!((history[1].seq, &*history[1].content), (Some(1), "ONE"));
    for before in [i64::MAX, 3] {
        let database = &scene.fixture.database;
        let newest = database
            .list_messages_before(scene.room, before, 1, Vec::new())
            .await;
        assert_eq!(newest.expect("a page")[0], edited.message);
        let oldest = database
            .list_messages_after(scene.room, 0, None, 9, Vec::new())
            .await;
        assert_eq!(oldest.expect("a page")[1], edited.message);
    }
}

#[tokio::test]
async fn the_same_text_is_no_change() {
    let scene = Scene::new().await;
    let id = scene.say("one").await;
    let same = scene.change(id, edit("one")).await;
    assert!(!same.is_new);
    assert_eq!(same.receipt.change, None);
    assert_eq!(same.message.edited_at, None);
    assert_eq!(scene.change(id, edit("two")).await.receipt.change, Some(1));
    let again = scene.change(id, edit("two")).await;
    assert!(!again.is_new);
    assert_eq!(again.receipt.change, Some(1));
}

#[tokio::test]
async fn a_deleted_message_keeps_its_place_and_nothing_else() {
    let scene = Scene::new().await;
    let Scene { room, bo, ana, .. } = scene;
    scene
        .fixture
        .execute(&format!(
            "insert into file_uploads (id, original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id)
             values (5, 'a.txt', 'x.txt', 3, 'text/plain', 'http://files/x.txt', {bo});"
        ))
        .await;
    let with_file = NewMessage {
        file_id: Some(FileId(5)),
        ..message(room, bo, "secret")
    };
    let id = store(&scene.writer, with_file).await.id;
    scene.change(id, edit("still secret")).await;
    let mut change = scene.new_change(id, Alteration::Delete);
    change.user_id = ana;
    let deleted = scene.make(change).await.expect("there is such a message");
    assert_eq!(deleted.deleted_by, Some(ana));
    assert_eq!((deleted.receipt.seq, deleted.receipt.change), (1, Some(2)));
    let found = scene.fixture.database.find_message(room, id).await;
    let found = found.expect("an answer").expect("a tombstone");
    assert_eq!(found, deleted.message);
    assert_eq!(
        (&*found.content, found.file, found.seq),
        ("", None, Some(1))
    );
    assert!(found.edited_at.is_some() && found.deleted_at.is_some());
    let row = "select count(*) from messages where content = '' and file_id is null";
    assert_eq!(scene.fixture.place.count(row).await, 1);
    let files = "select count(*) from file_uploads";
    assert_eq!(scene.fixture.place.count(files).await, 1);

    let again = scene.change(id, Alteration::Delete).await;
    assert!(!again.is_new);
    assert_eq!(again.receipt, deleted.receipt);
    let edited = scene.make(scene.new_change(id, edit("back"))).await;
    assert_eq!(edited, None);
    let changes = scene.changes(0, 9).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].change, 2);
    assert_eq!(changes[0].content, "");
    assert_eq!(changes[0].deleted_by, Some(ana));
}

#[tokio::test]
async fn a_message_of_another_room_is_none() {
    let scene = Scene::new().await;
    let id = scene.say("one").await;
    let other = scene.fixture.room(scene.ana, false).await.room.id;
    let change = NewChange {
        room_id: other,
        ..scene.new_change(id, edit("two"))
    };
    assert_eq!(scene.make(change).await, None);
    let unknown = scene.new_change(MessageId(99), Alteration::Delete);
    assert_eq!(scene.make(unknown).await, None);
    let found = scene.fixture.database.find_message(other, id).await;
    assert_eq!(found.expect("an answer"), None);
}

#[tokio::test]
async fn the_list_has_each_message_once_where_it_was_changed_last() {
    let scene = Scene::new().await;
    let mut ids = Vec::new();
    for content in ["a", "b", "c"] {
        ids.push(scene.say(content).await);
    }
    for (place, content) in [(0, "1"), (1, "2"), (0, "3"), (2, "4")] {
        scene.change(ids[place], edit(content)).await;
    }
    assert_eq!(
        scene.numbers(0).await,
        [(2, ids[1]), (3, ids[0]), (4, ids[2])]
    );
    assert_eq!(scene.numbers(3).await, [(4, ids[2])]);
    assert_eq!(scene.numbers(4).await, []);
    let page = scene.changes(0, 1).await;
    assert_eq!((page.len(), page[0].change, &*page[0].content), (1, 2, "2"));

    let database = &scene.fixture.database;
    let newest = database.list_newest_changes(scene.room, 2).await;
    let newest = newest.expect("a list");
    assert_eq!((newest.last, newest.after), (4, 2));
    assert_eq!(newest.messages, scene.changes(2, 9).await);
    let all = database.list_newest_changes(scene.room, 9).await;
    assert_eq!(all.expect("a list").after, 0);
    let none = database.list_newest_changes(RoomId(99), 9).await;
    assert_eq!(none.expect("a list").last, 0);
}

#[tokio::test]
async fn a_named_change_is_made_once() {
    let scene = Scene::new().await;
    let id = scene.say("one").await;
    let named = |content: &str| NewChange {
        client_id: Some("c".to_owned()),
        ..scene.new_change(id, edit(content))
    };
    let first = scene.make(named("two")).await.expect("a message");
    scene.change(id, edit("three")).await;
    // Sent again because its answer was lost: it must not undo the later one.
    let again = scene.make(named("two")).await.expect("a message");
    assert!(!again.is_new);
    assert_eq!(again.receipt, first.receipt);
    assert_eq!(again.message.content, "three");
    let mut of_another = named("two");
    of_another.user_id = scene.ana;
    assert!(scene.make(of_another).await.expect("a message").is_new);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_at_once_are_numbered_without_gaps() {
    let scene = Scene::new().await;
    let other = scene.fixture.room(scene.ana, false).await.room.id;
    let mut ids = Vec::new();
    for room in [scene.room, other] {
        for _ in 0..4 {
            ids.push((
                room,
                store(&scene.writer, message(room, scene.bo, "")).await.id,
            ));
        }
    }
    let mut tasks = Vec::new();
    for editor in 0..4 {
        let (database, bo) = (scene.fixture.database.clone(), scene.bo);
        let mut ids = ids.clone();
        ids.rotate_left(editor * 2);
        tasks.push(tokio::spawn(async move {
            for round in 0..5 {
                let changes = ids.iter().map(|(room_id, message_id)| NewChange {
                    room_id: *room_id,
                    message_id: *message_id,
                    user_id: bo,
                    alteration: edit(&format!("{editor} {round}")),
                    client_id: None,
                });
                let made = database.change_messages(changes.collect()).await;
                assert!(made.expect("they are made").iter().all(Option::is_some));
            }
        }));
    }
    for task in tasks {
        task.await.expect("it ends");
    }
    for room in [scene.room, other] {
        let newest = scene.fixture.database.list_newest_changes(room, 9).await;
        let newest = newest.expect("a list");
        assert_eq!(newest.last, 4 * 4 * 5);
        assert_eq!(newest.messages.len(), 4);
        assert_eq!(newest.messages[3].change, newest.last);
    }
}

#[tokio::test]
async fn an_id_that_is_given_out_again_is_another_message() {
    let scene = Scene::new().await;
    let id = scene.say("one").await;
    scene.change(id, Alteration::Delete).await;
    let Scene { room, bo, .. } = scene;
    scene
        .fixture
        .execute(&format!(
            "delete from messages where id = {id};
             insert into messages (id, content, sender_id, room_id) values ({id}, 'new', {bo}, {room})"
        ))
        .await;
    let found = scene.fixture.database.find_message(room, id).await;
    let found = found.expect("an answer").expect("a message");
    assert_eq!((&*found.content, found.deleted_at), ("new", None));
    let edited = scene.change(id, edit("newer")).await;
    assert_eq!((edited.receipt.seq, edited.receipt.change), (2, Some(2)));
    assert_eq!(edited.message.deleted_at, None);
}
