//! A store on the emulator, and the shortest ways to use it.

use std::ops::Range;

use chat_storage::{
    GcsConfig, GcsUrls, GoogleCloudStorage, MediaType, ObjectKey, ObjectStore, ObjectUrl,
    ObjectWriter, StorageError,
};
use chrono::Utc;

const VARIABLE: &str = "IZPOCHAT_TEST_GCS_EMULATOR";
pub(crate) const BUCKET: &str = "izpochat-test";
pub(crate) const LIMIT: u64 = 50 * 1024 * 1024;

/// The address of the emulator, without a slash at the end.
pub(crate) fn emulator() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} has to name an emulator"))
}

pub(crate) fn config(host: &str) -> GcsConfig {
    GcsConfig {
        bucket: BUCKET.to_owned(),
        credentials: None,
        emulator_host: Some(host.to_owned()),
        urls: GcsUrls::Public,
    }
}

pub(crate) fn store_with(config: GcsConfig) -> ObjectStore {
    ObjectStore::Gcs(GoogleCloudStorage::new(config).expect("a good configuration"))
}

pub(crate) fn store_at(host: &str) -> ObjectStore {
    store_with(config(host))
}

pub(crate) fn store() -> ObjectStore {
    store_at(&emulator())
}

pub(crate) fn key() -> ObjectKey {
    ObjectKey::generate(Utc::now(), MediaType::Zip)
}

/// Bytes that differ from each other, so that a swapped part is noticed.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| (n % 251) as u8 ^ (n >> 16) as u8)
        .collect()
}

pub(crate) async fn writer(store: &ObjectStore, key: &ObjectKey) -> ObjectWriter {
    let writer = store.create(key, MediaType::Zip, LIMIT).await;
    writer.expect("a writer")
}

pub(crate) async fn put(
    store: &ObjectStore,
    key: &ObjectKey,
    content: &[u8],
) -> Result<u64, StorageError> {
    let mut writer = store.create(key, MediaType::Zip, LIMIT).await?;
    for piece in content.chunks(64 * 1024) {
        writer.write(piece).await?;
    }
    writer.finish().await
}

pub(crate) async fn get(
    store: &ObjectStore,
    key: &ObjectKey,
    range: Range<u64>,
) -> Result<Vec<u8>, StorageError> {
    let mut reader = store.open(key).await?.read(range);
    let mut content = Vec::new();
    while let Some(chunk) = reader.next_chunk().await? {
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

pub(crate) async fn exists(store: &ObjectStore, key: &ObjectKey) -> bool {
    match store.open(key).await {
        Ok(_) => true,
        Err(StorageError::NotFound) => false,
        Err(error) => panic!("{}", error.report()),
    }
}

pub(crate) async fn external_url(store: &ObjectStore, key: &ObjectKey) -> String {
    match store.url(key).await.expect("a URL") {
        ObjectUrl::External(url) => url,
        ObjectUrl::Served => panic!("a bucket has URLs of its own"),
    }
}

/// Anybody's GET.
pub(crate) async fn fetch(url: &str) -> (u16, String, Vec<u8>) {
    let answer = reqwest::get(url).await.expect("an answer");
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").cloned();
    let content_type = content_type.and_then(|value| value.to_str().map(str::to_owned).ok());
    let body = answer.bytes().await.expect("a body");
    (status, content_type.unwrap_or_default(), body.to_vec())
}
