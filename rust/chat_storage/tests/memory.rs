//! How much memory uploads take. Alone in its process, since it looks at all of it.

#![cfg(target_os = "linux")]

use chat_storage::{Foreground, LocalFolder, MediaType, ObjectKey, ObjectStore};
use chrono::Utc;

const UPLOADS: usize = 20;
const UPLOAD_BYTES: u64 = 16 * 1024 * 1024;
/// Half of what one upload may take in all; the rest is for whoever reads it.
const BYTES_PER_UPLOAD: u64 = 2 * 1024 * 1024;

/// The most memory this process has had, in bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kilobytes: u64 = kilobytes
        .expect("the line")
        .trim()
        .parse()
        .expect("a number");
    kilobytes * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_at_once_take_a_bounded_amount_of_memory() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let store = LocalFolder::open(folder.path(), Foreground::new())
        .await
        .expect("the store opens");
    let store = ObjectStore::Local(store);
    let before = peak_bytes();
    let uploads = (0..UPLOADS).map(|_| tokio::spawn(upload(store.clone())));
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.expect("no panic");
    }
    let grown = peak_bytes() - before;
    let bound = BYTES_PER_UPLOAD * UPLOADS as u64;
    assert!(grown < bound, "{grown} bytes for {UPLOADS} uploads");
}

async fn upload(store: ObjectStore) {
    let key = ObjectKey::generate(Utc::now(), MediaType::Mp4);
    let writer = store.create(&key, MediaType::Mp4, UPLOAD_BYTES).await;
    let mut writer = writer.expect("a writer");
    let piece = vec![1; 64 * 1024];
    for _ in 0..UPLOAD_BYTES / piece.len() as u64 {
        writer.write(&piece).await.expect("it is written");
        tokio::task::yield_now().await;
    }
    assert_eq!(writer.finish().await.expect("it is finished"), UPLOAD_BYTES);
}
