//! Which URLs are accepted, as what, and that no password gets out.

use std::path::Path;
use std::time::Duration;

use super::*;

fn postgres(text: &str) -> PostgresUrl {
    match DatabaseUrl::parse(text).expect("a valid URL") {
        DatabaseUrl::Postgres(url) => *url,
        DatabaseUrl::Sqlite(_) => panic!("expected PostgreSQL"),
    }
}

fn sqlite(text: &str) -> SqliteUrl {
    match DatabaseUrl::parse(text).expect("a valid URL") {
        DatabaseUrl::Sqlite(url) => url,
        DatabaseUrl::Postgres(_) => panic!("expected SQLite"),
    }
}

fn refusal(text: &str) -> String {
    let error = DatabaseUrl::parse(text).expect_err("an invalid URL");
    assert_eq!(error.code(), "invalid_configuration");
    error.report()
}

#[test]
fn every_scheme_of_the_original_leads_to_postgresql() {
    for scheme in [
        "postgresql",
        "postgres",
        "postgresql+psycopg2",
        "postgresql+psycopg",
        "postgresql+asyncpg",
        "postgresql+pg8000",
    ] {
        let url = postgres(&format!("{scheme}://izpo:secret@db.example.org:6000/chat"));
        assert_eq!(url.host, "db.example.org");
        assert_eq!(url.port, 6000);
        assert_eq!(url.user.as_deref(), Some("izpo"));
        assert_eq!(url.password.as_deref(), Some("secret"));
        assert_eq!(url.database.as_deref(), Some("chat"));
        assert_eq!(url.ssl_mode, SslMode::Prefer);
        assert_eq!(url.connect_timeout, Duration::from_secs(5));
    }
}

#[test]
fn user_and_password_are_percent_decoded() {
    let url = postgres("postgresql://a%40b:p%3A%2F%40%C3%A9@h/d%20b");
    assert_eq!(url.user.as_deref(), Some("a@b"));
    assert_eq!(url.password.as_deref(), Some("p:/@é"));
    assert_eq!(url.database.as_deref(), Some("d b"));
}

#[test]
fn unescaped_characters_in_the_password_work_as_before() {
    for password in ["a/b", "a?b=c", "12/x:y", "a@b", "x#y", "a:b"] {
        let url = postgres(&format!("postgresql://izpo:x{password}@h:1/d"));
        assert_eq!(url.password, Some(format!("x{password}")));
        assert_eq!((url.host.as_str(), url.port), ("h", 1));
    }
}

#[test]
fn an_at_sign_in_a_parameter_does_not_start_a_host() {
    let url = postgres("postgresql://h:5433/d?application_name=a@b");
    assert_eq!((url.host.as_str(), url.port), ("h", 5433));
    assert_eq!(url.user, None);
    assert_eq!(url.application_name.as_deref(), Some("a@b"));
}

#[test]
fn hosts_can_be_addresses_and_socket_folders() {
    assert_eq!(postgres("postgres://u@[::1]:7/d").host, "::1");
    assert_eq!(postgres("postgres://u@[::1]:7/d").port, 7);
    let socket = postgres("postgresql://u@/d?host=/var/run/pg&port=5433");
    assert_eq!((socket.host.as_str(), socket.port), ("/var/run/pg", 5433));
    assert!(socket.is_unix_socket());
    assert!(postgres("postgresql://u@%2Ftmp%2Fpg/d").is_unix_socket());
    assert!(!postgres("postgresql://localhost/d").is_unix_socket());
}

#[test]
fn parameters_follow_libpq() {
    let url = postgres(
        "postgresql://h/d?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=12\
         &application_name=chat&options=-c%20search_path%3Dx&target_session_attrs=read-write\
         &gssencmode=disable&pgbouncer=true",
    );
    assert_eq!(url.ssl_mode, SslMode::VerifyFull);
    assert_eq!(
        url.root_certificates,
        RootCertificates::File("/ca.pem".into())
    );
    assert_eq!(url.connect_timeout, Duration::from_secs(12));
    assert_eq!(url.options.as_deref(), Some("-c search_path=x"));
    assert_eq!(url.target_session, TargetSession::ReadWrite);
    assert_eq!(
        postgres("postgresql://h/d?ssl=require").ssl_mode,
        SslMode::Require
    );
}

#[test]
fn the_systems_certificates_imply_the_full_check() {
    let url = postgres("postgresql://h/d?sslrootcert=system");
    assert_eq!(url.ssl_mode, SslMode::VerifyFull);
    assert!(refusal("postgresql://h/d?sslrootcert=system&sslmode=require").contains("verify-full"));
}

#[test]
fn sqlite_paths_are_relative_with_three_slashes_and_absolute_with_four() {
    assert_eq!(sqlite("sqlite:///a/b.db").path(), Path::new("a/b.db"));
    assert_eq!(
        sqlite("sqlite:////a/b%20.db").path(),
        Path::new("/a/b%20.db")
    );
    for text in [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://a.db",
    ] {
        assert!(refusal(text).contains("sqlite:///relative.db"), "{text}");
    }
}

#[test]
fn refusals_say_what_is_expected() {
    for (text, expected) in [
        ("", "it is empty"),
        ("chat.db", "no scheme"),
        ("mysql://h/d", "scheme \"mysql\" is not supported"),
        ("postgresql://h:0/d", "1 to 65535"),
        ("postgresql://h:99999/d", "1 to 65535"),
        ("postgresql://a,b/d", "several hosts"),
        ("postgresql://a/d?host=x,y", "several hosts"),
        ("postgresql://[::1/d", "not closed"),
        (
            "postgresql://h/d?sslmode=sometimes",
            "verify-ca or verify-full",
        ),
        ("postgresql://h/d?sslcert=/c.pem", "client certificate"),
        ("postgresql://h/d?sslkey=/k.pem", "client certificate"),
        (
            "postgresql://h/d?connect_timeout=soon",
            "whole number of seconds",
        ),
        ("postgresql://h/d?target_session_attrs=standby", "read-only"),
        ("postgresql://%ff@h/d", "not UTF-8"),
        ("postgresql://a%00@h/d", "NUL"),
    ] {
        let report = refusal(text);
        assert!(report.contains(expected), "{text}: {report}");
    }
}

#[test]
fn no_form_shows_the_password() {
    for text in [
        "postgresql://izpo:hunter2@h/d",
        "postgresql://izpo@h/d?password=hunter2",
    ] {
        let url = DatabaseUrl::parse(text).expect("a valid URL");
        assert!(!format!("{url} {url:?} {url:#?}").contains("hunter2"));
    }
    for text in [
        "postgresql://izpo:hunter2@h:x/d",
        "postgresql://izpo:hunter2/@h:x/d",
        "postgresql://izpo:hunter2@h,i/d",
        "postgresql://izpo:hunter2@h/d?sslmode=x",
        "postgresql://izpo:hunter2",
        "mysql://izpo:hunter2@h/d",
        "izpo:hunter2@h/d",
    ] {
        assert!(!refusal(text).contains("hunter2"), "{text}");
    }
    assert_eq!(
        postgres("postgresql://izpo:hunter2@[::1]/d").to_string(),
        "postgresql://izpo:***@[::1]:5432/d?sslmode=prefer"
    );
}

#[test]
fn security_that_cannot_be_kept_is_refused() {
    for parameter in [
        "channel_binding=require&sslmode=disable",
        "channel_binding=require&host=/var/run/postgresql",
        "channel_binding=always",
        "require_auth=scram-sha-256",
        "require_auth=!password",
        "sslcrl=/crl.pem",
        "sslcrldir=/crls",
        "ssl_min_protocol_version=TLSv1.3",
        "ssl_max_protocol_version=TLSv1.2",
        "gssencmode=require",
        "requirepeer=postgres",
        "sslcertmode=require",
        "sslsni=0",
    ] {
        let report = refusal(&format!("postgresql://u:hunter2@h/d?{parameter}"));
        let (key, _) = parameter.split_once('=').expect("a parameter");
        assert!(report.contains(key), "{parameter}: {report}");
        assert!(!report.contains("hunter2"), "{report}");
    }
}

#[test]
fn security_that_is_kept_anyway_is_accepted() {
    for parameter in [
        "channel_binding=prefer&sslmode=disable",
        "channel_binding=disable",
        "channel_binding=",
        "require_auth=",
        "ssl_min_protocol_version=TLSv1.2",
        "ssl_max_protocol_version=TLSv1.3",
        "gssencmode=prefer",
        "sslcertmode=allow",
        "sslsni=1",
        "sslcrl=",
    ] {
        let url = postgres(&format!("postgresql://h/d?{parameter}"));
        assert!(!url.requires_channel_binding, "{parameter}");
    }
}

#[test]
fn channel_binding_is_never_without_tls() {
    for (mode, expected) in [
        ("", SslMode::Require),
        ("&sslmode=allow", SslMode::Require),
        ("&sslmode=prefer", SslMode::Require),
        ("&sslmode=verify-ca", SslMode::VerifyCa),
        ("&sslrootcert=system", SslMode::VerifyFull),
    ] {
        let url = postgres(&format!("postgresql://h/d?channel_binding=require{mode}"));
        assert!(url.requires_channel_binding);
        assert_eq!(url.ssl_mode, expected, "{mode}");
    }
}
