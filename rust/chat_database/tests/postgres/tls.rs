//! Every `sslmode` against servers with good, foreign and misnamed
//! certificates. The proxy plays the TLS end; the connection to it goes to
//! `localhost`.

use std::sync::Arc;

use chat_database::DatabaseError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::fixture::{TestDatabase, open};
use crate::proxy::{PlainConnections, Proxy};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer }
    }

    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        server_config(certificate.der().clone(), &key)
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }
}

fn server_config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into());
    Arc::new(config.expect("certificate and key match"))
}

struct Scene {
    database: TestDatabase,
    proxy: Proxy,
    folder: TempDir,
}

impl Scene {
    async fn new(config: Arc<ServerConfig>, plain: PlainConnections) -> Self {
        let database = TestDatabase::create().await;
        Self {
            proxy: Proxy::start_tls(&database, config, plain).await,
            database,
            folder: TempDir::new().expect("a folder"),
        }
    }

    /// `&sslrootcert=` with these certificates.
    fn root(&self, pem: &str) -> String {
        let path = self.folder.path().join("root.pem");
        std::fs::write(&path, pem).expect("the file is written");
        format!("&sslrootcert={}", path.display())
    }

    async fn open(&self, parameters: &str) -> Result<(), DatabaseError> {
        let url = self
            .database
            .url_through("localhost", self.proxy.port, parameters);
        open(&url).await?.ping().await
    }

    async fn refusal(&self, parameters: &str) -> DatabaseError {
        self.open(parameters).await.expect_err("it is refused")
    }
}

#[tokio::test]
async fn require_encrypts_and_believes_anybody() {
    let server = Authority::new().server("elsewhere.example");
    let scene = Scene::new(server, PlainConnections::Refuse).await;
    scene.open("&sslmode=require").await.expect("it opens");
    assert!(scene.proxy.handshakes() > 0);
}

#[tokio::test]
async fn prefer_and_allow_end_up_encrypted_where_plain_is_refused() {
    let server = Authority::new().server("localhost");
    let scene = Scene::new(server, PlainConnections::Refuse).await;
    scene.open("").await.expect("it opens");
    let preferred = scene.proxy.handshakes();
    assert!(preferred > 0);
    scene.open("&sslmode=allow").await.expect("it opens");
    assert!(scene.proxy.handshakes() > preferred);
    let error = scene.refusal("&sslmode=disable").await;
    assert_eq!(error.code(), "database_login_failed");
}

/// Whoever ends TLS in front of the server sees everything; that is what binding the login
/// to the channel is against.
#[tokio::test]
async fn a_required_channel_binding_is_not_given_up() {
    let server = Authority::new().server("localhost");
    let scene = Scene::new(server, PlainConnections::Forward).await;
    scene.open("").await.expect("it opens without");
    let encrypted = scene.proxy.handshakes();
    for mode in ["", "&sslmode=require", "&sslmode=prefer"] {
        scene
            .refusal(&format!("&channel_binding=require{mode}"))
            .await;
    }
    assert!(scene.proxy.handshakes() > encrypted);
    let error = scene
        .refusal("&channel_binding=require&sslmode=disable")
        .await;
    assert_eq!(error.code(), "invalid_configuration");
    // And where the server has no TLS at all.
    let url = scene.database.url() + "&channel_binding=require";
    open(&url).await.expect_err("it is refused");
}

#[tokio::test]
async fn allow_and_disable_stay_plain_where_they_can() {
    let server = Authority::new().server("localhost");
    let scene = Scene::new(server, PlainConnections::Forward).await;
    scene.open("&sslmode=allow").await.expect("it opens");
    scene.open("&sslmode=disable").await.expect("it opens");
    assert_eq!(scene.proxy.handshakes(), 0);
}

#[tokio::test]
async fn without_tls_on_the_server_prefer_is_plain_and_require_fails() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::start_without_tls(&database).await;
    let url = |parameters| database.url_through("localhost", proxy.port, parameters);
    open(&url("&sslmode=prefer")).await.expect("it opens");
    let error = open(&url("&sslmode=require")).await.expect_err("no TLS");
    assert_eq!(error.code(), "database_unavailable");
    assert!(error.report().contains("TLS"), "{}", error.report());
}

#[tokio::test]
async fn the_authority_is_checked_from_verify_ca_on() {
    let authority = Authority::new();
    let server = authority.server("elsewhere.example");
    let scene = Scene::new(server, PlainConnections::Forward).await;
    let root = scene.root(&authority.pem());
    scene
        .open(&format!("&sslmode=verify-ca{root}"))
        .await
        .expect("it opens");
    // As libpq: with a root certificate, `require` checks like `verify-ca`.
    scene
        .open(&format!("&sslmode=require{root}"))
        .await
        .expect("it opens");
    let handshakes = scene.proxy.handshakes();

    let foreign = scene.root(&Authority::new().pem());
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = scene.refusal(&format!("&sslmode={mode}{foreign}")).await;
        assert_eq!(error.code(), "database_unavailable", "{mode}");
        assert!(error.report().contains("certificate"), "{}", error.report());
    }
    assert_eq!(scene.proxy.handshakes(), handshakes);
}

#[tokio::test]
async fn the_name_is_checked_by_verify_full() {
    let authority = Authority::new();
    for (name, is_right) in [("localhost", true), ("elsewhere.example", false)] {
        let scene = Scene::new(authority.server(name), PlainConnections::Forward).await;
        let root = scene.root(&authority.pem());
        let result = scene.open(&format!("&sslmode=verify-full{root}")).await;
        assert_eq!(result.is_ok(), is_right, "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_its_own_root() {
    // What `openssl req -x509` makes: an authority that is also the server.
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    let server = server_config(certificate.der().clone(), &key);
    let scene = Scene::new(server, PlainConnections::Forward).await;
    let root = scene.root(&certificate.pem());
    for mode in ["verify-ca", "verify-full"] {
        let parameters = format!("&sslmode={mode}{root}");
        scene.open(&parameters).await.expect("it opens");
    }
    let system = scene.refusal("&sslrootcert=system").await;
    assert!(
        ["database_unavailable", "invalid_configuration"].contains(&system.code()),
        "{}",
        system.report()
    );
}

#[tokio::test]
async fn an_unusable_root_certificate_stops_the_start() {
    let server = Authority::new().server("localhost");
    let scene = Scene::new(server, PlainConnections::Forward).await;
    let empty = scene.root("nothing");
    for root in [empty.as_str(), "&sslrootcert=/nowhere/root.pem"] {
        let error = scene.refusal(&format!("&sslmode=verify-full{root}")).await;
        assert_eq!(error.code(), "invalid_configuration");
    }
}
