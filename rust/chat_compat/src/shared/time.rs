//! The one form of times on the wire: ISO 8601, UTC, milliseconds, `Z`; and that of
//! HTTP's headers.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};

/// `2025-12-09T16:17:50.123Z`.
pub(crate) fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `Tue, 09 Dec 2025 16:17:50 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn format_http_date(time: SystemTime) -> String {
    let time = DateTime::<Utc>::from(time);
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
