//! The one form of times on the wire: ISO 8601, UTC, milliseconds, `Z`.

use chrono::{DateTime, SecondsFormat, Utc};

/// `2025-12-09T16:17:50.123Z`.
pub(crate) fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
