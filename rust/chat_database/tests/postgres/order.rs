//! The numbers of messages under many writers at once, and names that several
//! claim.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_database::{Database, DatabaseError, MessageWriter, NewMessage, Page, Stored};
use chat_protocol::ids::{RoomId, UserId};
use tokio::sync::oneshot;
use tokio_postgres::Client;

use crate::fixture::{TestDatabase, open, open_sized, wait_until};
use crate::proxy::{Cut, Proxy};
use crate::schema::{create_generation_a, execute, lines};

const ANA: UserId = UserId(1);
const ROOMS: [RoomId; 4] = [RoomId(1), RoomId(2), RoomId(3), RoomId(4)];

pub(crate) fn new_message(room: RoomId, sender: UserId, client_id: Option<&str>) -> NewMessage {
    NewMessage {
        room_id: room,
        sender_id: sender,
        content: "text".to_owned(),
        file_id: None,
        client_id: client_id.map(str::to_owned),
    }
}

async fn submit(
    writer: &MessageWriter,
    message: NewMessage,
) -> oneshot::Receiver<Result<Stored, DatabaseError>> {
    let (answer, receiver) = oneshot::channel();
    let on_stored = Box::new(move |stored| {
        let _ = answer.send(stored);
    });
    writer.submit(message, on_stored).await;
    receiver
}

pub(crate) async fn store(
    writer: &MessageWriter,
    message: NewMessage,
) -> Result<Stored, DatabaseError> {
    submit(writer, message).await.await.expect("an answer")
}

async fn writer_on(database: &Database) -> MessageWriter {
    MessageWriter::start(database.clone(), false)
        .await
        .expect("a writer")
}

/// Rooms whose messages do not count from one to their last number.
async fn rooms_with_gaps(client: &Client) -> Vec<String> {
    lines(
        client,
        "select concat_ws(' ', room, messages, numbered, first, last, last_seq)
         from (
             select messages.room_id as room, count(*) as messages, count(seq) as numbered,
                 min(seq) as first, max(seq) as last
             from messages left join message_sequence on message_id = id
             group by messages.room_id
         ) as rooms
         left join room_sequences on room_id = room
         where (messages, numbered, first, last) is distinct from (last_seq, last_seq, 1, last_seq)",
    )
    .await
}

/// Sends to all rooms in turn, some messages with names; gives the answers by room.
async fn send_many(writer: MessageWriter, offset: usize) -> HashMap<RoomId, Vec<Stored>> {
    let mut answers = Vec::new();
    for number in 0..600 {
        let room = ROOMS[(number + offset) % ROOMS.len()];
        let name = (number % 3 == 0).then(|| format!("{offset} {number}"));
        let message = new_message(room, ANA, name.as_deref());
        answers.push((room, submit(&writer, message).await));
    }
    let mut stored: HashMap<RoomId, Vec<Stored>> = HashMap::new();
    for (room, answer) in answers {
        let answer = answer.await.expect("an answer").expect("it is stored");
        stored.entry(room).or_default().push(answer);
    }
    writer.flush_and_stop().await;
    stored
}

/// As processes of the original do, and as nobody does: several rooms in one
/// transaction, in the one order or the other, and some taken back.
async fn insert_many(client: Client) {
    for number in 0..150 {
        let row = |room| format!("('', 1, {room})");
        let insert = "insert into messages (content, sender_id, room_id) values";
        let (one, other) = (number % 4 + 1, (number + 1) % 4 + 1);
        let statements = match number % 3 {
            0 => format!("{insert} {}", row(one)),
            1 => format!("{insert} {}, {}, {}", row(other), row(one), row(other)),
            _ => format!("begin; {insert} {}; rollback", row(one)),
        };
        execute(&client, &statements).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_beside_each_other_leave_no_gaps() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    let (one, two) = (database.open().await, database.open().await);
    let writers = (writer_on(&one).await, writer_on(&two).await);
    let old = (database.client().await, database.client().await);
    let (first, second, (), ()) = tokio::join!(
        send_many(writers.0, 0),
        send_many(writers.1, 1),
        insert_many(old.0),
        insert_many(old.1),
    );
    assert_eq!(rooms_with_gaps(&client).await, [""; 0]);
    for answers in first.values().chain(second.values()) {
        assert!(answers.is_sorted_by(|a, b| a.seq < b.seq && a.id < b.id));
        assert!(answers.iter().all(|stored| !stored.is_repeat));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_that_two_claim_at_once_is_stored_once() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    let databases = [database.open().await, database.open().await];
    let mut writers = Vec::new();
    for database in &databases {
        writers.push(writer_on(database).await);
    }
    let mut senders = Vec::new();
    for (place, writer) in writers.iter().enumerate() {
        let writer = writer.clone();
        senders.push(tokio::spawn(async move {
            let mut answers = Vec::new();
            for number in 0..400 {
                // One goes up, the other down.
                let name = if place == 0 { number } else { 399 - number };
                let room = ROOMS[name % ROOMS.len()];
                let message = new_message(room, ANA, Some(&name.to_string()));
                answers.push((name, submit(&writer, message).await));
            }
            let mut stored = HashMap::new();
            for (name, answer) in answers {
                let answer = answer.await.expect("an answer").expect("it is stored");
                stored.insert(name, answer);
            }
            stored
        }));
    }
    let mut answers = Vec::new();
    for sender in senders {
        answers.push(sender.await.expect("no panic"));
    }
    for (name, one) in &answers[0] {
        let other = &answers[1][name];
        assert_eq!((one.id, one.seq), (other.id, other.seq));
        assert!(one.is_repeat != other.is_repeat);
    }
    let ids: HashSet<_> = answers[0].values().map(|stored| stored.id).collect();
    assert_eq!(ids.len(), 400);
    assert_eq!(rooms_with_gaps(&client).await, [""; 0]);
    let count = "select count(*)::text from messages where content = 'text'";
    assert_eq!(lines(&client, count).await, ["400"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_is_found_by_its_name() {
    let database = TestDatabase::create().await;
    let client = Arc::new(database.client().await);
    create_generation_a(&client).await;
    let mut proxy = Proxy::start(&database).await;
    let opened = open(&database.url_through("127.0.0.1", proxy.port, ""))
        .await
        .expect("it opens");
    let writer = writer_on(&opened).await;
    let named = || new_message(RoomId(2), ANA, Some("a"));
    // Prepares the statement.
    let other = new_message(RoomId(1), ANA, Some("a"));
    store(&writer, other).await.expect("it is stored");

    let mut locker = database.client().await;
    let lock = locker.transaction().await.expect("a transaction");
    lock.batch_execute("lock table messages in share mode")
        .await
        .expect("the lock");
    let answer = submit(&writer, named()).await;
    let waiting = "select 1 from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock'";
    wait_until("the message waits for the lock", async || {
        !client.query(waiting, &[]).await.expect("a list").is_empty()
    })
    .await;
    proxy.stop(Cut::ClientOnly).await;
    let error = answer.await.expect("an answer").expect_err("nobody knows");
    assert_eq!(error.code(), "database_unavailable");
    // The server has the statement and carries it out.
    lock.rollback().await.expect("the lock is given up");
    let stored = "select id::text from messages where room_id = 2 and content = 'text'";
    wait_until("the message is stored", async || {
        !lines(&client, stored).await.is_empty()
    })
    .await;
    proxy.restart().await;
    let again = store(&writer, named()).await.expect("an answer");
    assert!(again.is_repeat);
    assert_eq!(again.seq, Some(2));
    assert_eq!(lines(&client, stored).await, [again.id.0.to_string()]);
    writer.flush_and_stop().await;
}

/// Rows that were read of the tables of messages so far. Sessions report theirs
/// at the latest when they end.
async fn rows_read(client: &Client) -> i64 {
    let others = "select 1 from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend'
            and pid <> pg_backend_pid()";
    wait_until("all other sessions have ended", async || {
        client.query(others, &[]).await.expect("a list").is_empty()
    })
    .await;
    let rows = client.query_one(
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
         from pg_stat_user_tables where relname in ('messages', 'message_sequence')",
        &[],
    );
    rows.await.expect("the statistics").get(0)
}

#[tokio::test]
async fn a_page_by_number_costs_the_same_everywhere() {
    const MESSAGES: i64 = 30_000;
    const FIRST: Page = Page { skip: 0, limit: 50 };
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    execute(
        &client,
        "insert into messages (content, sender_id, room_id)
         select '', 1, number % 2 + 3 from generate_series(1, 60000) as number",
    )
    .await;
    // Often enough that a plan for all values is tried, see plan_cache_mode.
    for is_analyzed in [false, true] {
        for (after, before) in [
            (0, 51),
            (MESSAGES / 2, MESSAGES / 2),
            (MESSAGES - 50, MESSAGES),
        ] {
            let read = rows_read(&client).await;
            let opened = open_sized(&database.url(), 1).await.expect("it opens");
            for _ in 0..20 {
                let page = opened.list_messages_after(RoomId(3), after, None, 50, Vec::new());
                assert_eq!(page.await.expect("a page").len(), 50);
                let page = opened.list_messages_before(RoomId(3), before, 50, Vec::new());
                assert!(page.await.expect("a page").len() >= 49);
                if is_analyzed {
                    let page = opened.list_messages(RoomId(3), FIRST, Vec::new());
                    assert_eq!(page.await.expect("a page").len(), 50);
                }
            }
            opened.close().await;
            let read = rows_read(&client).await - read;
            // Fifty of each table for each of up to sixty pages.
            assert!(read <= 60 * 110, "{read} rows after {after}");
        }
        execute(&client, "analyze").await;
    }
}

#[tokio::test]
async fn the_writer_does_not_read_a_table_that_was_empty_when_it_began() {
    let database = TestDatabase::create().await;
    let client = database.client().await;
    create_generation_a(&client).await;
    drop(database.open().await);
    execute(&client, "delete from messages").await;
    execute(&client, "truncate message_sequence, room_sequences").await;
    execute(&client, "vacuum analyze").await;
    let read = rows_read(&client).await;
    let opened = database.open().await;
    let writer = writer_on(&opened).await;
    for _ in 0..300 {
        let message = new_message(RoomId(1), ANA, None);
        store(&writer, message).await.expect("it is stored");
    }
    writer.flush_and_stop().await;
    opened.close().await;
    let read = rows_read(&client).await - read;
    assert!(read < 1000, "{read} rows");
}
