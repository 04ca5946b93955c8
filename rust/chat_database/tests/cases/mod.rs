//! The cases both back ends must pass, and the fixture they share.

mod changes;
mod files;
mod memberships;
mod messages;
mod order;
mod order_properties;
mod processes;
mod reading;
mod repeats;
mod rooms;
mod snapshots;
mod uploads;
mod users;
pub(crate) mod writer;

use chat_database::{
    Database, DatabaseConfig, DatabaseError, MessageWriter, NewMessage, NewRoom, NewUser, Page,
    RoomDetails, Stored, User,
};
use chat_protocol::ids::{RoomId, UserId};
use tokio::sync::oneshot;

use crate::back_end::Place;

/// A migrated database of its own.
pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) place: Place,
}

pub(crate) const ALL: Page = Page {
    skip: 0,
    limit: 1000,
};

impl Fixture {
    pub(crate) async fn new() -> Self {
        let place = Place::new().await;
        let database = open(&place).await;
        Self { database, place }
    }

    /// Closes and opens the database, as a restart of the service would.
    pub(crate) async fn reopen(&mut self) {
        self.database.close().await;
        self.database = open(&self.place).await;
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.database
            .create_user(new_user(name))
            .await
            .expect("a new user")
    }

    pub(crate) async fn room(&self, owner: UserId, is_private: bool) -> RoomDetails {
        self.database
            .create_room(NewRoom {
                name: "room".to_owned(),
                description: None,
                is_private,
                owner_id: owner,
            })
            .await
            .expect("a new room")
    }

    pub(crate) async fn writer(&self) -> MessageWriter {
        MessageWriter::start(self.database.clone(), false)
            .await
            .expect("a writer")
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.place.execute(sql).await;
    }
}

async fn open(place: &Place) -> Database {
    Database::connect(DatabaseConfig {
        url: place.url(),
        pool_size: 4,
    })
    .await
    .expect("the database opens")
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        full_name: None,
        hashed_password: format!("hash of {name}"),
    }
}

pub(crate) fn message(room: RoomId, sender: UserId, content: &str) -> NewMessage {
    NewMessage {
        room_id: room,
        sender_id: sender,
        content: content.to_owned(),
        file_id: None,
        client_id: None,
    }
}

/// A message with a name that its sender has given it.
pub(crate) fn named(room: RoomId, sender: UserId, client_id: &str, content: &str) -> NewMessage {
    NewMessage {
        client_id: Some(client_id.to_owned()),
        ..message(room, sender, content)
    }
}

/// Submits a message; the answer arrives on the receiver.
pub(crate) async fn submit(
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

/// Submits a message and waits until it is stored.
pub(crate) async fn store(writer: &MessageWriter, message: NewMessage) -> Stored {
    submit(writer, message)
        .await
        .await
        .expect("an answer")
        .expect("the message is stored")
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, DatabaseError>) -> &'static str {
    result.expect_err("an error is expected").code()
}
