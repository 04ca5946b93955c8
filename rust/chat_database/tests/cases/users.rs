//! Registration, look-up, changes.

use chat_database::{NewUser, Page, UserChanges};
use chat_protocol::ids::UserId;

use super::{ALL, Fixture, code, new_user};

#[tokio::test]
async fn a_new_user_is_found_by_everything_that_names_it() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let database = &fixture.database;

    assert!(ana.is_active);
    assert!(ana.created_at.is_some());
    assert_eq!(ana.updated_at, None);
    assert_eq!(
        database.find_user(ana.id).await.expect("a look-up"),
        Some(ana.clone())
    );
    assert_eq!(
        database
            .find_user_by_username("ana")
            .await
            .expect("a look-up"),
        Some(ana.clone())
    );
    let credentials = database
        .find_credentials("ana")
        .await
        .expect("a look-up")
        .expect("credentials");
    assert_eq!(credentials.user, ana);
    assert_eq!(credentials.hashed_password, "hash of ana");

    for name in ["Ana", "", "an_", "x'; drop table users; --"] {
        let found = database.find_user_by_username(name).await;
        assert_eq!(found.expect("a look-up"), None, "{name}");
    }
    for id in [0, -1, i32::MAX] {
        let found = database.find_user(UserId(id)).await;
        assert_eq!(found.expect("a look-up"), None, "{id}");
    }
}

#[tokio::test]
async fn users_are_listed_by_id_in_pages() {
    let fixture = Fixture::new().await;
    for name in ["c", "a", "b"] {
        fixture.user(name).await;
    }
    let names = async |skip, limit| {
        fixture
            .database
            .list_users(Page { skip, limit })
            .await
            .expect("a list")
            .into_iter()
            .map(|user| user.username)
            .collect::<String>()
    };
    assert_eq!(names(0, 100).await, "cab");
    assert_eq!(names(1, 1).await, "a");
    assert_eq!(names(0, 0).await, "");
    assert_eq!(names(-5, -5).await, "");
    assert_eq!(names(i64::MAX, i64::MAX).await, "");
}

#[tokio::test]
async fn a_conflict_names_the_e_mail_address_first() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let database = &fixture.database;
    let both = (Some("ana@example.com"), Some("ana"));

    let conflict = database.find_conflict(both.0, both.1, None).await;
    assert_eq!(code(conflict), "email_taken");
    let conflict = database.find_conflict(None, both.1, None).await;
    assert_eq!(code(conflict), "username_taken");
    let conflict = database
        .find_conflict(Some("b@example.com"), both.1, None)
        .await;
    assert_eq!(code(conflict), "username_taken");

    // One's own values, other case, and nothing at all.
    for (email, username, except) in [
        (both.0, both.1, Some(ana.id)),
        (Some("ANA@example.com"), Some("ANA"), None),
        (None, None, None),
    ] {
        let conflict = database.find_conflict(email, username, except).await;
        conflict.expect("no conflict");
    }
}

#[tokio::test]
async fn of_equal_registrations_at_once_one_is_let_through() {
    let fixture = Fixture::new().await;
    let racers = (0..10).map(|_| {
        let database = fixture.database.clone();
        tokio::spawn(async move { database.create_user(new_user("ana")).await })
    });
    let mut created = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.expect("no panic") {
            Ok(_) => created += 1,
            Err(error) => assert!(
                ["email_taken", "username_taken"].contains(&error.code()),
                "{error:?}"
            ),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_taken_value_is_refused_by_the_table_itself() {
    let fixture = Fixture::new().await;
    fixture.user("ana").await;
    let same_name = NewUser {
        email: "other@example.com".to_owned(),
        ..new_user("ana")
    };
    let refused = fixture.database.create_user(same_name).await;
    assert_eq!(code(refused), "username_taken");
    let same_email = NewUser {
        username: "other".to_owned(),
        ..new_user("ana")
    };
    let refused = fixture.database.create_user(same_email).await;
    assert_eq!(code(refused), "email_taken");
}

#[tokio::test]
async fn updated_at_moves_only_when_something_differs() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    let update = async |changes| fixture.database.update_user(ana.id, changes).await;

    let unchanged = [
        UserChanges::default(),
        UserChanges {
            username: Some("ana".to_owned()),
            email: Some("ana@example.com".to_owned()),
            full_name: Some(None),
            is_active: Some(true),
        },
    ];
    for changes in unchanged {
        assert_eq!(update(changes).await.expect("an update"), ana);
    }

    let named = UserChanges {
        full_name: Some(Some("Ana María".to_owned())),
        ..UserChanges::default()
    };
    let changed = update(named).await.expect("an update");
    assert_eq!(changed.full_name.as_deref(), Some("Ana María"));
    assert!(changed.updated_at > ana.created_at);
    assert_eq!(changed.created_at, ana.created_at);

    let cleared = UserChanges {
        full_name: Some(None),
        is_active: Some(false),
        ..UserChanges::default()
    };
    let cleared = update(cleared).await.expect("an update");
    assert_eq!(cleared.full_name, None);
    assert!(!cleared.is_active);
    assert!(cleared.updated_at > changed.updated_at);
    let stored = fixture.database.find_user(ana.id).await;
    assert_eq!(stored.expect("a look-up"), Some(cleared));
}

#[tokio::test]
async fn an_update_meets_unknown_users_and_taken_values() {
    let fixture = Fixture::new().await;
    let ana = fixture.user("ana").await;
    fixture.user("bo").await;
    let database = &fixture.database;
    let taken_name = UserChanges {
        username: Some("bo".to_owned()),
        ..UserChanges::default()
    };
    let taken_email = UserChanges {
        email: Some("bo@example.com".to_owned()),
        ..UserChanges::default()
    };
    let refused = database.update_user(ana.id, taken_name.clone()).await;
    assert_eq!(code(refused), "username_taken");
    let refused = database.update_user(ana.id, taken_email).await;
    assert_eq!(code(refused), "email_taken");
    let refused = database.update_user(UserId(-1), taken_name).await;
    assert_eq!(code(refused), "user_not_found");
}

#[tokio::test]
async fn columns_that_are_null_in_old_databases_are_read() {
    let fixture = Fixture::new().await;
    fixture.user("ana").await;
    fixture
        .execute("update users set is_active = null, created_at = null")
        .await;
    let users = fixture.database.list_users(ALL).await.expect("a list");
    assert!(!users[0].is_active);
    assert_eq!(users[0].created_at, None);
}
