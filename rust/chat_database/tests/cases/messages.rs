//! History: order, pages, senders, files.

use chat_database::{NewMessage, Page};
use chat_protocol::ids::{FileId, RoomId};

use super::{ALL, Fixture, message, store};

#[tokio::test]
async fn history_is_newest_first_in_pages() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    let room = fixture.room(ana.id, false).await.room.id;
    let other = fixture.room(ana.id, false).await.room.id;
    let writer = fixture.writer().await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let sender = if number % 2 == 0 { ana.id } else { bo.id };
        let text = number.to_string();
        ids.push(store(&writer, message(room, sender, &text)).await.id);
        store(&writer, message(other, sender, "elsewhere")).await;
    }
    let contents = async |skip, limit| {
        fixture
            .database
            .list_messages(room, Page { skip, limit }, Vec::new())
            .await
            .expect("a history")
            .into_iter()
            .map(|message| message.content)
            .collect::<String>()
    };
    assert_eq!(contents(0, 50).await, "6543210");
    assert_eq!(contents(2, 3).await, "432");
    assert_eq!(contents(0, 0).await, "");
    assert_eq!(contents(-1, -1).await, "");
    assert_eq!(contents(7, 50).await, "");

    let list = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let list = list.expect("a history");
    assert_eq!(list[0].sender.as_ref(), &ana);
    assert_eq!(list[1].sender.as_ref(), &bo);
    assert_eq!(list[1].room_id, room);
    assert_eq!(list[6].id, ids[0]);

    let nothing = fixture
        .database
        .list_messages(RoomId(99), ALL, Vec::new())
        .await;
    assert_eq!(nothing.expect("a history"), []);
}

#[tokio::test]
async fn equal_times_are_ordered_by_id_and_missing_ones_are_read() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let row = |content, time| {
        format!(
            "insert into messages (content, sender_id, room_id, created_at)
             values ('{content}', {ana}, {room}, {time});"
        )
    };
    let same = "'2020-01-01 00:00:00.5+00:00'";
    fixture
        .execute(&[row("a", same), row("b", same), row("c", same)].concat())
        .await;
    let list = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let contents: String = list
        .expect("a history")
        .into_iter()
        .map(|message| message.content)
        .collect();
    assert_eq!(contents, "cba");

    fixture
        .execute("update messages set created_at = null")
        .await;
    let list = fixture.database.list_messages(room, ALL, Vec::new()).await;
    assert_eq!(list.expect("a history")[0].created_at, None);
}

#[tokio::test]
async fn times_come_back_as_they_were_written() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await.id;
    let room = fixture.room(ana, false).await.room.id;
    let writer = fixture.writer().await;
    let stored = store(&writer, message(room, ana, " \u{1F600} \n")).await;
    assert_eq!(stored.content, " \u{1F600} \n");
    let history = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let found = history.expect("a history").remove(0);
    assert_eq!(found.id, stored.id);
    assert_eq!(found.created_at, Some(stored.created_at));
    assert_eq!(found.content, stored.content);
}

#[tokio::test]
async fn messages_carry_their_files() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let room = fixture.room(ana.id, false).await.room.id;
    fixture
        .execute(&format!(
            "insert into file_uploads (id, original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id)
             values (5, 'a.txt', 'x.txt', 3, 'text/plain', 'http://files/x.txt', {});",
            ana.id
        ))
        .await;
    let writer = fixture.writer().await;
    let with_file = NewMessage {
        file_id: Some(FileId(5)),
        ..message(room, ana.id, "")
    };
    store(&writer, with_file.clone()).await;
    store(&writer, message(room, ana.id, "without")).await;
    store(&writer, with_file).await;

    let list = fixture.database.list_messages(room, ALL, Vec::new()).await;
    let list = list.expect("a history");
    assert_eq!(list[1].file, None);
    assert_eq!(list[0].file, list[2].file);
    let details = list[0].file.as_ref().expect("a file");
    assert_eq!(details.file.id, FileId(5));
    assert_eq!(details.file.original_filename, "a.txt");
    assert_eq!(details.uploader.as_ref(), &ana);
}
