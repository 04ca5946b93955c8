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
    match u32::try_from(time.year()) {
        // By hand: answers are full of times, and formatting was half of what encoding one cost.
        Ok(year @ 0..=9999) => {
            push_pair(&mut text, year / 100);
            push_pair(&mut text, year % 100);
        }
        // Writing into a string cannot fail.
        _ => drop(write!(text, "{:04}", time.year())),
    }
    for (mark, number) in [
        ('-', time.month()),
        ('-', time.day()),
        ('T', time.hour()),
        (':', time.minute()),
        (':', time.second()),
    ] {
        text.push(mark);
        push_pair(&mut text, number);
    }
    text
}

fn push_fraction(text: &mut String, time: DateTime<Utc>) {
    // A leap second is reported as a fraction above one second: keep six digits.
    let micros = time.timestamp_subsec_micros() % 1_000_000;
    text.push('.');
    push_pair(text, micros / 10_000);
    push_pair(text, micros / 100 % 100);
    push_pair(text, micros % 100);
}

/// Appends two digits of a number below a hundred.
fn push_pair(text: &mut String, number: u32) {
    for digit in [number / 10, number % 10] {
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
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
    fn every_digit_has_its_place() {
        assert_eq!(
            format_rest_time(time("0907-10-29T23:59:58.009017Z")),
            "0907-10-29T23:59:58.009017Z"
        );
        assert_eq!(
            format_frame_time(time("9999-12-31T00:00:10.120304Z")),
            "9999-12-31T00:00:10.120304+00:00"
        );
    }

    #[test]
    fn years_of_other_lengths_are_written_out() {
        for (year, text) in [(12_345, "12345"), (-1, "-001")] {
            let time = time("2025-01-02T03:04:05Z")
                .with_year(year)
                .expect("a year");
            assert_eq!(format_rest_time(time), format!("{text}-01-02T03:04:05Z"));
        }
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
