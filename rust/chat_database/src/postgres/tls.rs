//! What `sslmode` and `sslrootcert` mean, as rustls configurations.
//!
//! The handshake signature is always checked; the modes differ in whose
//! certificate is believed. Where a check is asked for without `sslrootcert`
//! the system's certificates are used (libpq would read a file in the home
//! folder).

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::DatabaseError;
use crate::url::{PostgresUrl, RootCertificates, SslMode};

/// The TLS side of the connections to this URL.
///
/// # Errors
/// [`DatabaseError::InvalidUrl`] if the certificates to trust cannot be read.
pub(super) fn make_tls(url: &PostgresUrl) -> Result<MakeRustlsConnect, DatabaseError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier {
        trust: trust(url, &provider)?,
        provider: Arc::clone(&provider),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(DatabaseError::internal)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Decides about the server's certificate.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trust {
    /// Encryption only, against listeners.
    Anyone,
    Authorities {
        chain: Arc<WebPkiServerVerifier>,
        /// The trusted certificates themselves. A server may use one of them
        /// directly: the usual self-signed certificate, which is its own
        /// authority and which the chain builder does not take.
        pinned: Vec<CertificateDer<'static>>,
        check_name: bool,
    },
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Authorities {
            chain,
            pinned,
            check_name,
        } = &self.trust
        else {
            return Ok(ServerCertVerified::assertion());
        };
        if pinned.contains(end_entity) {
            if *check_name {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, so everything else was in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !check_name => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn trust(url: &PostgresUrl, provider: &Arc<CryptoProvider>) -> Result<Trust, DatabaseError> {
    let check_name = url.ssl_mode == SslMode::VerifyFull;
    let certificates = match (url.ssl_mode, &url.root_certificates) {
        (SslMode::Disable | SslMode::Allow | SslMode::Prefer, _)
        | (SslMode::Require, RootCertificates::Unspecified) => return Ok(Trust::Anyone),
        (_, RootCertificates::File(path)) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| {
                invalid(format!(
                    "the file of sslrootcert, {}, cannot be read: {error}; expected \
                     certificates in PEM form",
                    path.display()
                ))
            })?,
        (_, RootCertificates::System | RootCertificates::Unspecified) => {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificates cannot be read");
            }
            found.certs
        }
    };
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 {
        return Err(invalid(
            "no certificate to check the server with was found; expected sslrootcert=file with \
             certificates in PEM form, or a system certificate store",
        ));
    }
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(DatabaseError::internal)?;
    Ok(Trust::Authorities {
        chain,
        // Nobody pins the hundreds of public authorities.
        pinned: match url.root_certificates {
            RootCertificates::File(_) => certificates,
            RootCertificates::System | RootCertificates::Unspecified => Vec::new(),
        },
        check_name,
    })
}

fn invalid(reason: impl Into<String>) -> DatabaseError {
    DatabaseError::InvalidUrl {
        reason: reason.into(),
    }
}
