//! Objects are written, read, found and deleted.

use std::time::{Duration, SystemTime};

use chat_storage::{MediaType, ObjectUrl};

use crate::fixture::{
    BUCKET, LIMIT, content, exists, external_url, fetch, get, key, put, store, writer,
};

const PART: usize = 2 * 1024 * 1024;

#[tokio::test]
async fn an_object_is_read_as_it_was_written() {
    let store = store();
    for length in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 5_000_000] {
        let (key, content) = (key(), content(length));
        let size = put(&store, &key, &content).await.expect("it is stored");
        assert_eq!(size, length as u64);
        let found = store.open(&key).await.expect("it exists");
        assert_eq!(found.info().size, length as u64);
        let age = SystemTime::now().duration_since(found.info().modified);
        assert!(age.is_ok_and(|age| age < Duration::from_secs(60)));
        let read = get(&store, &key, 0..u64::MAX).await.expect("it is read");
        assert!(read == content, "{length} bytes");
    }
}

#[tokio::test]
async fn parts_of_an_object_are_read() {
    let store = store();
    let (key, content) = (key(), content(3_000_000));
    put(&store, &key, &content).await.expect("it is stored");
    for range in [
        0..0,
        0..1,
        7..1_000_000,
        2_999_999..3_000_000,
        2_999_000..9_000_000,
        4_000_000..5_000_000,
    ] {
        let read = get(&store, &key, range.clone()).await.expect("it is read");
        let (start, end) = (range.start.min(3_000_000), range.end.min(3_000_000));
        assert!(read == content[start as usize..end as usize], "{range:?}");
    }
}

#[tokio::test]
async fn an_object_is_public_with_its_type() {
    let store = store();
    let key = key();
    put(&store, &key, b"hola").await.expect("it is stored");
    let url = external_url(&store, &key).await;
    let (status, content_type, body) = fetch(&url).await;
    assert_eq!((status, body.as_slice()), (200, b"hola".as_slice()));
    assert_eq!(content_type, MediaType::Zip.as_str());
}

#[tokio::test]
async fn an_unfinished_object_does_not_exist() {
    let store = store();
    for length in [0, 10, 3 * PART] {
        let key = key();
        let mut writer = writer(&store, &key).await;
        writer.write(&content(length)).await.expect("it is written");
        assert!(!exists(&store, &key).await);
        writer.abort().await;
        assert!(!exists(&store, &key).await);
    }
}

#[tokio::test]
async fn fifty_megabytes_pass_and_a_byte_more_does_not() {
    let store = store();
    let whole = content(usize::try_from(LIMIT).expect("it fits"));
    let stored = key();
    let size = put(&store, &stored, &whole).await.expect("it is stored");
    assert_eq!(size, LIMIT);
    let end = get(&store, &stored, LIMIT - 10..LIMIT).await;
    assert_eq!(end.expect("it is read"), whole[whole.len() - 10..]);
    store.delete(&stored).await.expect("it is deleted");

    let refused = key();
    let mut writer = writer(&store, &refused).await;
    writer.write(&whole).await.expect("it is written");
    let error = writer.write(&[1]).await.expect_err("too large");
    assert_eq!(error.code(), "file_too_large");
    writer.abort().await;
    assert!(!exists(&store, &refused).await);
}

#[tokio::test]
async fn deleting_twice_is_fine() {
    let store = store();
    let key = key();
    put(&store, &key, b"hola").await.expect("it is stored");
    store.delete(&key).await.expect("it is deleted");
    assert!(!exists(&store, &key).await);
    store.delete(&key).await.expect("it is gone already");
}

#[tokio::test]
async fn an_address_leads_back_to_its_object_and_no_other_does() {
    let store = store();
    let key = key();
    let ObjectUrl::External(address) = store.address(&key) else {
        panic!("a bucket has addresses of its own");
    };
    assert_eq!(store.key_of(&address), Some(key.clone()));
    let elsewhere = address.replace(BUCKET, "another-bucket");
    assert_eq!(store.key_of(&elsewhere), None);
    assert_eq!(store.key_of(&format!("{address}/x")), None);
    assert_eq!(store.key_of(""), None);
}

#[tokio::test]
async fn many_writers_at_once() {
    let store = store();
    let writers = (0..8_usize).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let (key, content) = (key(), content(PART + number));
            put(&store, &key, &content).await.expect("it is stored");
            let read = get(&store, &key, 0..u64::MAX).await.expect("it is read");
            assert!(read == content);
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
}
