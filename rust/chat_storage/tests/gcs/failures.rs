//! A network and a server that fail: repeated where it helps, a bounded number
//! of times, and never a wrong object.

use std::time::{Duration, Instant};

use chat_storage::ErrorKind;

use crate::fixture::{config, content, exists, get, key, put, store, store_at, store_with, writer};
use crate::proxy::{Fault, Proxy};

const PART: usize = 2 * 1024 * 1024;
/// Three parts.
const LENGTH: usize = 5_000_000;

#[tokio::test]
async fn an_upload_goes_on_where_it_broke() {
    for fault in [
        Fault::Refuse(500),
        Fault::Refuse(429),
        Fault::LoseRequest,
        Fault::LoseAnswer,
    ] {
        // At the first part, the second, the last, and the only one.
        for position in 0..4 {
            let proxy = Proxy::start().await;
            let store = store_at(&proxy.address);
            let length = if position == 3 { 1000 } else { LENGTH };
            let (key, content) = (key(), content(length));
            let mut writer = writer(&store, &key).await;
            // A part is sent when a byte more has come.
            for (number, piece) in content.chunks(PART + 1).enumerate() {
                if number == position && position < 2 {
                    proxy.fail_next("PUT", fault);
                }
                writer.write(piece).await.expect("it is written");
            }
            if position >= 2 {
                proxy.fail_next("PUT", fault);
            }
            writer.finish().await.expect("it is finished");
            assert!(proxy.has_failed());
            let read = get(&store, &key, 0..u64::MAX).await.expect("it is read");
            assert!(read == content, "{fault:?} at {position}");
        }
    }
}

#[tokio::test]
async fn the_start_of_an_upload_is_repeated() {
    for fault in [Fault::Refuse(503), Fault::LoseRequest, Fault::LoseAnswer] {
        let proxy = Proxy::start().await;
        let store = store_at(&proxy.address);
        let key = key();
        proxy.fail_next("POST", fault);
        put(&store, &key, b"hola").await.expect("it is stored");
        assert!(proxy.has_failed() && exists(&store, &key).await);
    }
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_given_up() {
    for fault in [Fault::Refuse(503), Fault::LoseRequest] {
        let proxy = Proxy::start().await;
        let store = store_at(&proxy.address);
        let key = key();
        let mut writer = writer(&store, &key).await;
        for _ in 0..20 {
            proxy.fail_next("PUT", fault);
        }
        let error = writer.write(&content(LENGTH)).await.expect_err("no way");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
        assert!(proxy.count("PUT") <= 4);
        writer.abort().await;
        assert!(!exists(&self::store(), &key).await);
    }
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let mut writer = writer(&store, &key()).await;
    proxy.fail_next("PUT", Fault::Refuse(403));
    let error = writer.write(&content(LENGTH)).await.expect_err("no way");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert_eq!(proxy.count("PUT"), 1);
}

#[tokio::test]
async fn a_damaged_object_is_removed() {
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let key = key();
    let mut writer = writer(&store, &key).await;
    writer.write(&content(100)).await.expect("it is gathered");
    proxy.fail_next("PUT", Fault::Damage);
    let error = writer.finish().await.expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(!exists(&self::store(), &key).await);
}

#[tokio::test]
async fn an_aborted_upload_is_cancelled() {
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let mut writer = writer(&store, &key()).await;
    writer.write(&content(LENGTH)).await.expect("it is written");
    writer.abort().await;
    assert_eq!(proxy.count("DELETE /upload/"), 1);
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke() {
    let content = content(LENGTH);
    let key = key();
    put(&store(), &key, &content).await.expect("it is stored");
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let reader = store
        .open(&key)
        .await
        .expect("it exists")
        .read(10..u64::MAX);
    for fault in [
        Fault::LoseRequest,
        Fault::CutAnswer(1_000_000),
        Fault::Refuse(503),
        Fault::CutAnswer(100),
        Fault::CutAnswer(2_000_000),
    ] {
        proxy.fail_next("GET", fault);
    }
    let (mut reader, mut read) = (reader, Vec::new());
    while let Some(chunk) = reader.next_chunk().await.expect("it is read") {
        read.extend_from_slice(&chunk);
    }
    assert!(read == content[10..]);
    assert_eq!(proxy.count("GET"), 7);
}

#[tokio::test]
async fn a_download_that_keeps_failing_is_no_short_answer() {
    let key = key();
    put(&store(), &key, &content(LENGTH))
        .await
        .expect("it is stored");
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let mut reader = store.open(&key).await.expect("it exists").read(0..u64::MAX);
    for _ in 0..20 {
        proxy.fail_next("GET", Fault::LoseAnswer);
    }
    let error = reader.next_chunk().await.expect_err("no way");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(proxy.count("GET"), 5);
}

#[tokio::test]
async fn deleting_and_checking_are_repeated() {
    let key = key();
    put(&store(), &key, b"x").await.expect("it is stored");
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    proxy.fail_next("DELETE", Fault::LoseAnswer);
    store.delete(&key).await.expect("it is deleted");
    assert!(!exists(&store, &key).await);
    proxy.fail_next("GET", Fault::Refuse(503));
    store.check().await.expect("it can be used");
}

#[tokio::test]
async fn what_the_operator_has_to_change_is_no_passing_fault() {
    for status in [401, 403, 404] {
        let proxy = Proxy::start().await;
        proxy.fail_next("POST", Fault::Refuse(status));
        let error = put(&store_at(&proxy.address), &key(), b"x").await;
        let error = error.expect_err("no way");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
        assert_eq!(
            (error.code(), proxy.count("POST")),
            ("storage_unavailable", 1)
        );
    }
}

#[tokio::test]
async fn a_bucket_that_takes_no_access_rights_is_written_without() {
    for status in [400, 412] {
        let proxy = Proxy::start().await;
        let store = store_at(&proxy.address);
        proxy.fail_next("POST", Fault::Refuse(status));
        for _ in 0..2 {
            let key = key();
            put(&store, &key, b"hola").await.expect("it is stored");
            assert!(exists(&store, &key).await);
        }
        let starts = proxy
            .heads()
            .into_iter()
            .filter(|head| head.starts_with("POST"));
        let with_rights: Vec<_> = starts.map(|head| head.contains("predefinedAcl")).collect();
        // Once known, it is not tried again.
        assert_eq!(with_rights, [true, false, false]);
    }
}

#[tokio::test]
async fn another_refusal_of_the_start_stays_one() {
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    proxy.fail_next("POST", Fault::Refuse(400));
    proxy.fail_next("POST", Fault::Refuse(400));
    let error = put(&store, &key(), b"x").await.expect_err("no way");
    assert_eq!(error.kind(), ErrorKind::Internal, "{}", error.report());
    // It was not about the rights, so the next object gets them.
    put(&store, &key(), b"x").await.expect("it is stored");
    let last = proxy
        .heads()
        .into_iter()
        .rfind(|head| head.starts_with("POST"));
    assert!(last.is_some_and(|head| head.contains("predefinedAcl=publicRead")));
}

#[tokio::test]
async fn a_missing_bucket_waits_for_the_operator() {
    let mut config = config(&crate::fixture::emulator());
    config.bucket = "izpochat-not-there".to_owned();
    let store = store_with(config);
    let error = store.check().await.expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    let error = put(&store, &key(), b"x").await.expect_err("not there");
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.report());
    store.delete(&key()).await.expect("nothing to delete");
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_soon() {
    // Nothing listens on the port of a listener that is closed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let started = Instant::now();
    let error = store_at(&address).check().await.expect_err("nobody there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn errors_do_not_show_the_session() {
    let proxy = Proxy::start().await;
    let store = store_at(&proxy.address);
    let mut writer = writer(&store, &key()).await;
    for _ in 0..20 {
        proxy.fail_next("PUT", Fault::LoseRequest);
    }
    let error = writer.write(&content(LENGTH)).await.expect_err("no way");
    for text in [
        error.report(),
        format!("{error:?}"),
        format!("{writer:?} {store:?}"),
    ] {
        assert!(!text.contains("upload_id"), "{text}");
    }
}
