//! Files: who may see them, lists, and the second layout of the table.

use chat_database::{FileLayout, NewMessage, Page};
use chat_protocol::ids::{FileId, UserId};

use super::{ALL, Fixture, message, store};
use crate::back_end::ID_COLUMN;

async fn upload(fixture: &Fixture, id: i32, uploader: UserId) -> FileId {
    fixture
        .execute(&format!(
            "insert into file_uploads (id, original_filename, stored_filename, file_size,
                 content_type, public_url, uploader_id, uploaded_at)
             values ({id}, 'file {id}', 'stored/{id}', {id}, 'image/png', 'http://files/{id}',
                 {uploader}, '2026-01-0{id} 00:00:00+00:00');"
        ))
        .await;
    FileId(id)
}

/// Turns the table into what the second generation of the service left.
pub(super) async fn switch_to_layout_b(fixture: &mut Fixture) {
    fixture
        .execute(&format!(
            "alter table messages rename to messages_a;
             drop table messages_a;
             drop table file_uploads;
             create table file_uploads (
                 {ID_COLUMN},
                 filename varchar not null,
                 file_path varchar not null,
                 file_url varchar not null,
                 file_size integer not null,
                 content_type varchar not null,
                 description text,
                 user_id integer not null references users (id),
                 room_id integer references rooms (id),
                 uploaded_at timestamp with time zone
             );
             create table messages (
                 {ID_COLUMN},
                 content text not null,
                 sender_id integer not null references users (id),
                 room_id integer not null references rooms (id),
                 file_id integer references file_uploads (id),
                 created_at timestamp with time zone
             );"
        ))
        .await;
    fixture.reopen().await;
}

#[tokio::test]
async fn a_file_is_seen_by_its_uploader_and_where_it_was_sent() {
    let fixture = Fixture::new().await;
    let uploader = fixture.user("uploader").await.id;
    let owner = fixture.user("owner").await.id;
    let member = fixture.user("member").await.id;
    let stranger = fixture.user("stranger").await.id;
    let private = fixture.room(owner, true).await.room.id;
    let public = fixture.room(owner, false).await.room.id;
    let database = &fixture.database;
    database.add_member(private, member).await.expect("a join");
    database
        .remove_member(private, owner)
        .await
        .expect("a removal");
    let file = upload(&fixture, 1, uploader).await;
    let seen_by = async || {
        let mut seen_by = Vec::new();
        for user in [uploader, owner, member, stranger] {
            if database
                .file_visible_to(file, user)
                .await
                .expect("an answer")
            {
                seen_by.push(user);
            }
        }
        seen_by
    };

    assert_eq!(seen_by().await, [uploader]);
    let writer = fixture.writer().await;
    let sent = |room| NewMessage {
        file_id: Some(file),
        ..message(room, uploader, "")
    };
    store(&writer, sent(private)).await;
    assert_eq!(seen_by().await, [uploader, owner, member]);
    store(&writer, sent(public)).await;
    assert_eq!(seen_by().await.len(), 4);
    fixture
        .execute("update rooms set is_private = null where not is_private")
        .await;
    assert_eq!(seen_by().await.len(), 4);

    let unknown = database.file_visible_to(FileId(9), uploader).await;
    assert!(!unknown.expect("an answer"));
}

#[tokio::test]
async fn own_files_are_listed_newest_first() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    for (id, uploader) in [(1, ana.id), (3, ana.id), (2, ana.id), (4, bo.id)] {
        upload(&fixture, id, uploader).await;
    }
    let database = &fixture.database;
    let ids = async |page| {
        let files = database.list_files_of_user(ana.id, page).await;
        let files = files.expect("a list").into_iter();
        files.map(|details| details.file.id.0).collect::<Vec<_>>()
    };
    assert_eq!(ids(ALL).await, [3, 2, 1]);
    assert_eq!(ids(Page { skip: 1, limit: 1 }).await, [2]);

    let found = database.find_file(FileId(4)).await;
    let found = found.expect("a look-up").expect("a file");
    assert_eq!(found.uploader.as_ref(), &bo);
    // In this layout the name is what it is, slash and all.
    assert_eq!(found.file.stored_filename, "stored/4");
    let nothing = database.find_file(FileId(0)).await;
    assert_eq!(nothing.expect("a look-up"), None);
}

#[tokio::test]
async fn the_second_layout_is_served_in_the_words_of_the_first() {
    let mut fixture = Fixture::new().await;
    let layout = |fixture: &Fixture| fixture.database.migration().file_layout;
    assert_eq!(layout(&fixture), FileLayout::A);
    switch_to_layout_b(&mut fixture).await;
    assert_eq!(layout(&fixture), FileLayout::B);

    let ana = fixture.user("ana").await;
    let bo = fixture.user("bo").await;
    let room = fixture.room(bo.id, true).await.room.id;
    fixture
        .execute(&format!(
            "insert into file_uploads (filename, file_path, file_url, file_size, content_type,
                 user_id)
             values ('a.png', 'uploads/2026/x.png', 'http://files/x.png', 9, 'image/png', {});",
            ana.id
        ))
        .await;
    let database = &fixture.database;
    let files = database.list_files_of_user(ana.id, ALL).await;
    let details = files.expect("a list").remove(0);
    assert_eq!(details.file.original_filename, "a.png");
    assert_eq!(details.file.stored_filename, "x.png");
    assert_eq!(details.file.public_url, "http://files/x.png");
    assert_eq!(details.file.file_size, 9);
    assert_eq!(details.file.uploader_id, ana.id);
    assert_eq!(details.file.uploaded_at, None);
    assert_eq!(details.uploader.as_ref(), &ana);

    let file = details.file.id;
    let visible = database.file_visible_to(file, ana.id).await;
    assert!(visible.expect("an answer"));
    let visible = database.file_visible_to(file, bo.id).await;
    assert!(!visible.expect("an answer"));
    let writer = fixture.writer().await;
    let sent = NewMessage {
        file_id: Some(file),
        ..message(room, ana.id, "")
    };
    let stored = store(&writer, sent).await;
    let visible = database.file_visible_to(file, bo.id).await;
    assert!(visible.expect("an answer"));
    let history = database.list_messages(room, ALL, Vec::new()).await;
    let found = history.expect("a history").remove(0);
    assert_eq!(found.id, stored.id);
    assert_eq!(found.file, Some(details));
}
