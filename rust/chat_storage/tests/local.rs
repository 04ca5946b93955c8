//! The store in a folder: what is seen of an object, when, and what stays of
//! one that is not finished.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chat_storage::{
    ErrorKind, Foreground, LocalFolder, MediaType, ObjectKey, ObjectSource, ObjectStore,
    ObjectWriter, StorageError,
};
use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tokio::runtime::Handle;

const LIMIT: u64 = 50 * 1024 * 1024;

struct Fixture {
    folder: TempDir,
    store: ObjectStore,
}

impl Fixture {
    async fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let store = open(folder.path()).await.expect("the store opens");
        Self { folder, store }
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.folder.path().join(key.as_str())
    }

    async fn put(&self, content: &[u8]) -> ObjectKey {
        let key = key("2026-11-21");
        put(&self.store, &key, content)
            .await
            .expect("the object is stored");
        key
    }

    async fn writer(&self, key: &ObjectKey) -> ObjectWriter {
        let writer = self.store.create(key, MediaType::PlainText, LIMIT).await;
        writer.expect("a writer")
    }

    /// All files of the folder, unfinished ones too.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }
}

async fn open(path: &Path) -> Result<ObjectStore, StorageError> {
    LocalFolder::open(path, Foreground::new())
        .await
        .map(ObjectStore::Local)
}

fn key(day: &str) -> ObjectKey {
    let time = format!("{day}T12:00:00Z");
    let at: DateTime<Utc> = time.parse().expect("a time");
    ObjectKey::generate(at, MediaType::PlainText)
}

async fn put(store: &ObjectStore, key: &ObjectKey, content: &[u8]) -> Result<u64, StorageError> {
    let mut writer = store.create(key, MediaType::PlainText, LIMIT).await?;
    writer.write(content).await?;
    writer.finish().await
}

async fn get(
    store: &ObjectStore,
    key: &ObjectKey,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, StorageError> {
    let mut reader = store.open(key).await?.read(range);
    let mut content = Vec::new();
    while let Some(chunk) = reader.next_chunk().await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

/// Asks again until the answer is yes; what is waited for runs on another thread.
async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = SystemTime::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(SystemTime::now() < deadline, "still waiting until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_object_is_read_as_it_was_written() {
    let fixture = Fixture::new().await;
    let content: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    for length in [0, 1, 262_143, 262_144, 262_145, content.len()] {
        let content = &content[..length];
        let key = fixture.put(content).await;
        let stored = fixture.store.open(&key).await.expect("it exists");
        assert_eq!(stored.info().size, length as u64);
        let read = get(&fixture.store, &key, 0..u64::MAX).await;
        assert_eq!(read.expect("it is read"), content);
    }
    let key = fixture.put(&content).await;
    for range in [
        0..0,
        5..6,
        262_143..262_145,
        999_999..2_000_000,
        3_000_000..4_000_000,
    ] {
        let read = get(&fixture.store, &key, range.clone()).await;
        let (start, end) = (range.start.min(1_000_000), range.end.min(1_000_000));
        let expected = &content[start as usize..end as usize];
        assert_eq!(read.expect("it is read"), expected, "{range:?}");
    }
}

#[tokio::test]
async fn who_gives_way_writes_the_same() {
    let folder = TempDir::new().expect("a folder");
    let foreground = Foreground::new();
    let opened = LocalFolder::open(folder.path(), foreground.clone()).await;
    let store = ObjectStore::Local(opened.expect("the store opens"));
    let content: Vec<u8> = (0..2_000_001_u32).map(|n| (n % 251) as u8).collect();
    let key = key("2026-11-21");
    foreground.touch();
    let size = put(&store, &key, &content).await.expect("it is stored");
    assert_eq!(size, content.len() as u64);
    let read = get(&store, &key, 0..u64::MAX).await;
    assert_eq!(read.expect("it is read"), content);
}

#[tokio::test]
async fn an_object_is_not_seen_before_it_is_finished() {
    let fixture = Fixture::new().await;
    let key = key("2026-11-21");
    let mut writer = fixture.writer(&key).await;
    writer.write(&[1; 600_000]).await.expect("it is written");
    let error = fixture.store.open(&key).await.expect_err("not yet");
    assert!(matches!(error, StorageError::NotFound));
    assert_eq!(writer.finish().await.expect("it is finished"), 600_000);
    assert_eq!(fixture.files(), [fixture.path(&key)]);
}

#[tokio::test]
async fn an_unfinished_object_leaves_nothing() {
    let fixture = Fixture::new().await;
    for length in [0, 10, 600_000] {
        for is_aborted in [true, false] {
            let mut writer = fixture.writer(&key("2026-11-21")).await;
            writer.write(&vec![1; length]).await.expect("it is written");
            if is_aborted {
                writer.abort().await;
            } else {
                drop(writer);
            }
            wait_until("the file is gone", || fixture.files().is_empty()).await;
        }
    }
}

#[tokio::test]
async fn a_finish_that_nobody_waits_for_leaves_nothing() {
    let fixture = Fixture::new().await;
    let mut given_up = 0;
    for step in 0..40 {
        let key = key("2026-11-21");
        let mut writer = fixture.writer(&key).await;
        writer.write(&[1; 300_000]).await.expect("it is written");
        // Given up earlier or later, mostly while a blocking thread is at work.
        let patience = Duration::from_micros(50 * step);
        match tokio::time::timeout(patience, writer.finish()).await {
            Ok(size) => {
                assert_eq!(size.expect("it is finished"), 300_000);
                fixture.store.delete(&key).await.expect("it is deleted");
            }
            Err(_) => given_up += 1,
        }
        wait_until("the file is gone", || fixture.files().is_empty()).await;
    }
    assert!(given_up > 0);
}

#[tokio::test]
async fn fifty_megabytes_pass_and_a_byte_more_does_not() {
    let fixture = Fixture::new().await;
    let piece = vec![7; 64 * 1024];
    let key = key("2026-11-21");
    let mut writer = fixture.writer(&key).await;
    for _ in 0..LIMIT / piece.len() as u64 {
        writer.write(&piece).await.expect("it is written");
    }
    assert_eq!(writer.finish().await.expect("it is finished"), LIMIT);

    let other = self::key("2026-11-21");
    let mut writer = fixture.writer(&other).await;
    for _ in 0..LIMIT / piece.len() as u64 {
        writer.write(&piece).await.expect("it is written");
    }
    let error = writer.write(&[7]).await.expect_err("too large");
    assert_eq!(error.code(), "file_too_large");
    writer.abort().await;
    wait_until("the file is gone", || {
        fixture.files() == [fixture.path(&key)]
    })
    .await;
}

#[tokio::test]
async fn deleting_twice_is_fine() {
    let fixture = Fixture::new().await;
    let key = fixture.put(b"hola").await;
    let stored = fixture.store.open(&key).await.expect("it exists");
    fixture.store.delete(&key).await.expect("it is deleted");
    fixture
        .store
        .delete(&key)
        .await
        .expect("it is gone already");
    let never = self::key("1999-01-01");
    fixture.store.delete(&never).await.expect("it never was");
    assert!(fixture.files().is_empty());
    // Who has it open reads on.
    let mut reader = stored.read(0..4);
    let chunk = reader.next_chunk().await.expect("it is read");
    assert_eq!(chunk.as_deref(), Some(b"hola".as_slice()));
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed_at_the_start() {
    let fixture = Fixture::new().await;
    let key = fixture.put(b"hola").await;
    let mut writer = fixture.writer(&self::key("2026-11-21")).await;
    writer.write(&[1; 300_000]).await.expect("it is written");
    // A process that is killed runs no destructor.
    std::mem::forget(writer);
    let foreign = fixture.folder.path().join(".incoming/notes.part");
    fs::write(&foreign, b"not ours").expect("it is written");
    assert_eq!(fixture.files().len(), 3);
    open(fixture.folder.path()).await.expect("it opens again");
    let mut files = fixture.files();
    files.sort();
    assert_eq!(files, [foreign, fixture.path(&key)]);
}

#[tokio::test]
async fn links_are_not_followed() {
    let fixture = Fixture::new().await;
    let outside = TempDir::new().expect("a folder");
    fs::write(outside.path().join("secret"), b"secret").expect("it is written");

    // In the place of a file.
    let linked = fixture.put(b"hola").await;
    fs::remove_file(fixture.path(&linked)).expect("it is removed");
    symlink(outside.path().join("secret"), fixture.path(&linked)).expect("a link");
    let error = fixture.store.open(&linked).await.expect_err("a link");
    assert!(matches!(error, StorageError::NotFound));
    fixture
        .store
        .delete(&linked)
        .await
        .expect("the link is deleted");
    assert!(outside.path().join("secret").exists());

    // In the place of a folder.
    symlink(outside.path(), fixture.folder.path().join("2025")).expect("a link");
    let through = key("2025-01-01");
    let error = fixture.store.open(&through).await.expect_err("a link");
    assert!(matches!(error, StorageError::NotFound));
    put(&fixture.store, &through, b"x")
        .await
        .expect_err("a link");
    fixture.store.delete(&through).await.expect("nothing there");
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 1);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_stops_nobody() {
    let fixture = Fixture::new().await;
    let key = fixture.put(b"hola").await;
    fs::remove_file(fixture.path(&key)).expect("it is removed");
    let made = std::process::Command::new("mkfifo")
        .arg(fixture.path(&key))
        .status();
    assert!(made.expect("mkfifo runs").success());
    let error = fixture.store.open(&key).await.expect_err("a pipe");
    assert!(matches!(error, StorageError::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_sought_in_like_a_file() {
    let fixture = Fixture::new().await;
    let content: Vec<u8> = (0..600_000_u32).map(|n| (n % 251) as u8).collect();
    let key = fixture.put(&content).await;
    let (runtime, store) = (Handle::current(), fixture.store.clone());
    let reading = std::thread::spawn(move || {
        let mut source = ObjectSource::open(runtime, store, key).expect("it exists");
        let mut file = std::io::Cursor::new(content);
        for jump in [
            SeekFrom::Start(0),
            SeekFrom::Current(10),
            SeekFrom::Current(300_000),
            SeekFrom::Current(-5),
            SeekFrom::End(-7),
            SeekFrom::End(5),
            SeekFrom::Start(262_140),
        ] {
            let positions = (source.seek(jump), file.seek(jump));
            assert_eq!(
                positions.0.expect("a position"),
                positions.1.expect("a position")
            );
            let (mut read, mut expected) = (Vec::new(), Vec::new());
            source
                .by_ref()
                .take(100)
                .read_to_end(&mut read)
                .expect("bytes");
            file.by_ref()
                .take(100)
                .read_to_end(&mut expected)
                .expect("bytes");
            assert_eq!(read, expected, "after {jump:?}");
        }
        assert!(source.seek(SeekFrom::Current(i64::MIN)).is_err());
    });
    tokio::task::spawn_blocking(|| reading.join())
        .await
        .expect("no panic")
        .expect("no panic");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"x").expect("it is written");
    let error = open(&file).await.expect_err("a file");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let message = error.to_string();
    assert!(
        message.contains("UPLOAD_PATH") && message.contains("/file"),
        "{message}"
    );
    // A missing one is made.
    open(&folder.path().join("a/b")).await.expect("it is made");
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_leaves_no_object() {
    let fixture = Fixture::new().await;
    let key = key("2026-11-21");
    let mut writer = fixture.writer(&key).await;
    writer.write(&[1; 300_000]).await.expect("it is written");
    // A file stands where the folder of the year has to be.
    fs::write(fixture.folder.path().join("2026"), b"x").expect("it is written");
    writer.finish().await.expect_err("no place");
    wait_until("the file is gone", || fixture.files().len() == 1).await;
    fs::remove_file(fixture.folder.path().join("2026")).expect("it is removed");
    put(&fixture.store, &key, b"x").await.expect("now it works");
}

#[tokio::test]
async fn many_writers_at_once() {
    let fixture = Fixture::new().await;
    let writers = (0..20_u8).map(|number| {
        let store = fixture.store.clone();
        tokio::spawn(async move {
            let key = key("2026-11-21");
            let content = vec![number; 700_000];
            put(&store, &key, &content).await.expect("it is stored");
            let read = get(&store, &key, 0..u64::MAX).await;
            assert_eq!(read.expect("it is read"), content);
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    assert_eq!(fixture.files().len(), 20);
}
