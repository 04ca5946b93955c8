//! The two textual forms of a UTC time (contract section 2.3).

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};

/// REST form: `Z`, six fraction digits, no fraction when it is zero.
///
/// `2026-11-20T09:29:26.587963Z`, `2025-01-02T03:04:05Z`.
pub fn format_rest_time(time: DateTime<Utc>) -> String {
    let mut text = date_and_time(time);
    if time.timestamp_subsec_micros() > 0 {
        push_fraction(&mut text, time);
    }
    text.push('Z');
    text
}

/// Socket form: offset `+00:00`, always six fraction digits.
///
/// `2026-11-20T09:37:08.415313+00:00`.
pub fn format_frame_time(time: DateTime<Utc>) -> String {
    let mut text = date_and_time(time);
    push_fraction(&mut text, time);
    text.push_str("+00:00");
    text
}

fn date_and_time(time: DateTime<Utc>) -> String {
    let mut text = String::with_capacity(32);
    // Writing into a string cannot fail.
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    text
}

fn push_fraction(text: &mut String, time: DateTime<Utc>) {
    // A leap second is reported as a fraction above one second: keep six digits.
    let _ = write!(text, ".{:06}", time.timestamp_subsec_micros() % 1_000_000);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a valid time")
    }

    #[test]
    fn rest_times_drop_a_zero_fraction() {
        assert_eq!(
            format_rest_time(time("2025-01-02T03:04:05Z")),
            "2025-01-02T03:04:05Z"
        );
        assert_eq!(
            format_rest_time(time("2026-11-20T09:29:26.5Z")),
            "2026-11-20T09:29:26.500000Z"
        );
    }

    #[test]
    fn frame_times_carry_offset_and_fraction() {
        assert_eq!(
            format_frame_time(time("2026-11-20T09:37:08.415313Z")),
            "2026-11-20T09:37:08.415313+00:00"
        );
        assert_eq!(
            format_frame_time(time("2025-01-02T03:04:05Z")),
            "2025-01-02T03:04:05.000000+00:00"
        );
    }
}
