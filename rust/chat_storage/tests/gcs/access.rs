//! Who can read objects, and with which configuration the store opens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use chat_storage::{ErrorKind, GcsConfig, GcsUrls, GoogleCloudStorage, ObjectKey, StorageError};

use crate::fixture::{
    config, emulator, external_url, fetch, key, put, store_at, store_with, writer,
};
use crate::proxy::Proxy;

fn service_account() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcs/service_account.json")
}

fn refused(config: GcsConfig) -> String {
    match GoogleCloudStorage::new(config) {
        Err(error @ StorageError::InvalidConfiguration { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn objects_are_made_public_unless_urls_are_signed() {
    for urls in [GcsUrls::Public, GcsUrls::Signed(Duration::from_secs(60))] {
        let proxy = Proxy::start().await;
        let mut config = config(&proxy.address);
        config.urls = urls;
        config.credentials = Some(service_account());
        drop(writer(&store_with(config), &key()).await);
        let start = proxy.heads().remove(0);
        let is_public = start.contains("predefinedAcl=publicRead");
        assert_eq!(is_public, urls == GcsUrls::Public, "{start}");
        assert!(start.contains("ifGenerationMatch=0"));
        // An emulator is not shown any token.
        assert!(!start.to_lowercase().contains("authorization"));
    }
}

#[tokio::test]
async fn public_urls_are_those_of_the_original() {
    let mut config = config("");
    config.emulator_host = None;
    config.credentials = Some(service_account());
    let key = key();
    let url = external_url(&store_with(config), &key).await;
    let expected = format!("https://storage.googleapis.com/izpochat-test/{key}");
    assert_eq!(url, expected);
}

#[tokio::test]
async fn signed_urls_are_made_without_a_request() {
    let mut config = config("");
    config.emulator_host = None;
    config.credentials = Some(service_account());
    config.urls = GcsUrls::Signed(Duration::from_secs(900));
    let key = key();
    let url = external_url(&store_with(config), &key).await;
    let start = format!("https://storage.googleapis.com/izpochat-test/{key}?");
    let query = url.strip_prefix(&start).expect("the object");
    assert!(query.contains("X-Goog-Expires=900"), "{query}");
    assert_eq!(ObjectKey::from_url(&url), Some(key.clone()));
    verify_signature(&format!("/izpochat-test/{key}"), query);
}

/// Computes what has to be signed as the cloud does (V4, described under
/// "canonical requests") and checks the signature with the public key.
fn verify_signature(path: &str, query: &str) {
    let (mut signed, mut signature) = (Vec::new(), String::new());
    for pair in query.split('&') {
        match pair.strip_prefix("X-Goog-Signature=") {
            Some(hex) => hex.clone_into(&mut signature),
            None => signed.push(pair),
        }
    }
    signed.sort_unstable();
    let value = |name: &str| {
        let found = signed.iter().find_map(|pair| pair.strip_prefix(name));
        found.expect("the parameter").to_owned()
    };
    let time = value("X-Goog-Date=");
    let request = format!(
        "GET\n{path}\n{}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD",
        signed.join("&")
    );
    let hash = ring::digest::digest(&ring::digest::SHA256, request.as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = format!(
        "GOOG4-RSA-SHA256\n{time}\n{}/auto/storage/goog4_request\n{hash}",
        &time[..8]
    );
    let bytes = signature.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).expect("ASCII");
        u8::from_str_radix(pair, 16).expect("hexadecimal digits")
    });
    public_key()
        .verify(text.as_bytes(), &bytes.collect::<Vec<u8>>())
        .expect("the signature is right");
}

fn public_key() -> ring::signature::UnparsedPublicKey<Vec<u8>> {
    use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
    let file = std::fs::read(service_account()).expect("the file");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    let pem = file["private_key"].as_str().expect("the key");
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(base64);
    let pair = RsaKeyPair::from_pkcs8(&der.expect("base64")).expect("an RSA key");
    let public = pair.public_key().as_ref().to_vec();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
}

#[tokio::test]
async fn signed_urls_lead_to_the_object() {
    let mut config = config(&emulator());
    config.credentials = Some(service_account());
    config.urls = GcsUrls::Signed(Duration::from_secs(60));
    let store = store_with(config);
    let key = key();
    put(&store, &key, b"hola").await.expect("it is stored");
    let (status, _, body) = fetch(&external_url(&store, &key).await).await;
    assert_eq!((status, body.as_slice()), (200, b"hola".as_slice()));
}

#[tokio::test]
async fn an_emulator_may_be_named_without_scheme() {
    let host = emulator();
    let host = host.strip_prefix("http://").expect("a plain address");
    let store = store_at(host);
    store.check().await.expect("it can be used");
}

#[tokio::test]
async fn a_login_that_fails_is_unavailable() {
    // The key file sends whoever logs in to a port where nobody listens.
    let mut config = config("");
    config.emulator_host = None;
    config.credentials = Some(service_account());
    let store = store_with(config);
    for _ in 0..2 {
        let error = store.check().await.expect_err("no token");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
        assert!(!format!("{error:?} {store:?}").contains("PRIVATE KEY"));
    }
}

#[test]
fn bad_configuration_is_named() {
    let mut bucket = config("localhost:1");
    bucket.bucket = "../x".to_owned();
    assert!(refused(bucket).starts_with("GCS_BUCKET_NAME is \"../x\""));

    let host = refused(config("http://localhost:1/path"));
    assert!(host.starts_with("STORAGE_EMULATOR_HOST is"), "{host}");

    let mut life = config("localhost:1");
    life.urls = GcsUrls::Signed(Duration::from_secs(8 * 24 * 60 * 60));
    assert!(refused(life).starts_with("GCS_PUBLIC_URLS is"));

    let mut unsigned = config("localhost:1");
    unsigned.urls = GcsUrls::Signed(Duration::from_secs(60));
    assert!(refused(unsigned).starts_with("GOOGLE_APPLICATION_CREDENTIALS is"));

    let mut anonymous = config("");
    anonymous.emulator_host = None;
    assert!(refused(anonymous).contains("not set"));

    let mut missing = config("");
    missing.emulator_host = None;
    missing.credentials = Some("/not/there.json".into());
    assert!(refused(missing).contains("/not/there.json"));
}

#[test]
fn a_broken_key_file_is_not_quoted() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("key.json");
    for text in [
        "{\"type\": \"service_account\", \"private_key\": hidden",
        "{\"type\": \"authorized_user\", \"refresh_token\": \"hidden\"}",
        "hidden",
    ] {
        std::fs::write(&path, text).expect("it is written");
        let mut config = config("");
        config.emulator_host = None;
        config.credentials = Some(path.clone());
        let message = refused(config);
        assert!(
            message.contains("key.json") && !message.contains("hidden"),
            "{message}"
        );
    }
}
