//! What to answer to a download: all of it, a part, nothing new, or that the
//! part does not exist (RFC 9110, sections 13 and 14).

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest `Range` that is looked at, in bytes.
const MAX_RANGE_LENGTH: usize = 256;

/// The object that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Representation<'a> {
    /// With its quotes; a strong one.
    pub etag: &'a str,
    pub modified: Option<SystemTime>,
    pub size: u64,
}

/// The headers of the request that matter here, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestHeaders<'a> {
    pub if_none_match: Option<&'a str>,
    pub if_modified_since: Option<&'a str>,
    pub if_range: Option<&'a str>,
    pub range: Option<&'a str>,
}

/// The answer to a GET or HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadAnswer {
    /// 304.
    NotModified,
    /// 200.
    Whole,
    /// 206 with these bytes: never empty, never beyond the end.
    Part(Range<u64>),
    /// 416.
    Unsatisfiable,
}

impl DownloadAnswer {
    /// Decides in the order of RFC 9110, section 13.2.2. Headers that are not
    /// understood are ignored, and so are requests for several parts at once:
    /// both are answered with the whole, as the RFC allows.
    pub fn decide(headers: RequestHeaders<'_>, object: Representation<'_>) -> Self {
        let unchanged = match (headers.if_none_match, headers.if_modified_since) {
            (Some(tags), _) => matches_any(tags, object.etag),
            (None, Some(date)) => parse_date(date)
                .zip(object.modified)
                .is_some_and(|(since, modified)| seconds(modified) <= seconds(since)),
            (None, None) => false,
        };
        if unchanged {
            return Self::NotModified;
        }
        let range = headers.range.filter(|_| {
            headers
                .if_range
                .is_none_or(|validator| is_current(validator, object))
        });
        match range {
            Some(range) => part_of(range, object.size),
            None => Self::Whole,
        }
    }

    /// The header `Content-Range` of the statuses 206 and 416.
    pub fn content_range(&self, size: u64) -> Option<String> {
        match self {
            Self::Part(range) => Some(format!("bytes {}-{}/{size}", range.start, range.end - 1)),
            Self::Unsatisfiable => Some(format!("bytes */{size}")),
            Self::NotModified | Self::Whole => None,
        }
    }
}

/// `If-None-Match` compares weakly (section 13.1.2).
fn matches_any(tags: &str, etag: &str) -> bool {
    tags.trim() == "*"
        || tags.split(',').any(|tag| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag) == etag
        })
}

/// `If-Range` compares strongly (section 13.1.5): a weak tag never matches, and
/// a date only if it is exactly the one that was sent.
fn is_current(validator: &str, object: Representation<'_>) -> bool {
    let validator = validator.trim();
    if validator.starts_with(['"', 'W']) && validator.ends_with('"') {
        return validator == object.etag;
    }
    parse_date(validator)
        .zip(object.modified)
        .is_some_and(|(date, modified)| seconds(date) == seconds(modified))
}

fn parse_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text.trim()).ok()
}

/// HTTP dates have no fractions.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn part_of(header: &str, size: u64) -> DownloadAnswer {
    let Some(range) = parse_range(header) else {
        return DownloadAnswer::Whole;
    };
    match range {
        // The end of an empty object is all of it, which no Content-Range can say.
        RangeSpec::Suffix(length) if length > 0 && size == 0 => DownloadAnswer::Whole,
        RangeSpec::Suffix(length) if length > 0 => {
            DownloadAnswer::Part(size.saturating_sub(length)..size)
        }
        RangeSpec::From(first) if first < size => DownloadAnswer::Part(first..size),
        RangeSpec::Between(first, last) if first < size => {
            DownloadAnswer::Part(first..last.saturating_add(1).min(size))
        }
        _ => DownloadAnswer::Unsatisfiable,
    }
}

enum RangeSpec {
    From(u64),
    Between(u64, u64),
    Suffix(u64),
}

/// A single range in bytes; nothing if it is anything else.
fn parse_range(header: &str) -> Option<RangeSpec> {
    if header.len() > MAX_RANGE_LENGTH {
        return None;
    }
    let (unit, spec) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", length) => Some(RangeSpec::Suffix(parse_position(length)?)),
        (first, "") => Some(RangeSpec::From(parse_position(first)?)),
        (first, last) => {
            let (first, last) = (parse_position(first)?, parse_position(last)?);
            (first <= last).then_some(RangeSpec::Between(first, last))
        }
    }
}

/// Digits only; a number beyond 64 bits lies beyond every end as well.
fn parse_position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const ETAG: &str = "\"a.pdf\"";
    const DATE: &str = "Sat, 21 Nov 2026 11:00:00 GMT";

    fn object(size: u64) -> Representation<'static> {
        let date = parse_date(DATE).expect("a date");
        Representation {
            etag: ETAG,
            modified: Some(date + Duration::from_millis(300)),
            size,
        }
    }

    fn ranged(range: &str, size: u64) -> DownloadAnswer {
        let headers = RequestHeaders {
            range: Some(range),
            ..RequestHeaders::default()
        };
        DownloadAnswer::decide(headers, object(size))
    }

    #[test]
    fn single_ranges() {
        use DownloadAnswer::{Part, Unsatisfiable, Whole};
        for (range, answer) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-99", Part(0..100)),
            ("bytes=10-", Part(10..100)),
            ("bytes=10-1000", Part(10..100)),
            ("bytes=10-99999999999999999999999", Part(10..100)),
            ("bytes=-1", Part(99..100)),
            ("bytes=-500", Part(0..100)),
            ("Bytes = 5 - 9 ", Part(5..10)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            // Not understood, or several.
            ("bytes=9-5", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=0-1,5-6", Whole),
            ("items=0-1", Whole),
            ("0-1", Whole),
        ] {
            assert_eq!(ranged(range, 100), answer, "{range}");
        }
        assert_eq!(ranged(&format!("bytes=0-{}", "0".repeat(300)), 100), Whole);
    }

    #[test]
    fn ranges_of_an_empty_object() {
        assert_eq!(ranged("bytes=0-", 0), DownloadAnswer::Unsatisfiable);
        assert_eq!(ranged("bytes=-5", 0), DownloadAnswer::Whole);
    }

    #[test]
    fn content_ranges() {
        let part = DownloadAnswer::Part(5..10).content_range(100);
        assert_eq!(part.as_deref(), Some("bytes 5-9/100"));
        let none = DownloadAnswer::Unsatisfiable.content_range(100);
        assert_eq!(none.as_deref(), Some("bytes */100"));
        assert_eq!(DownloadAnswer::Whole.content_range(100), None);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let decide = |if_none_match, if_modified_since| {
            let headers = RequestHeaders {
                if_none_match,
                if_modified_since,
                range: Some("bytes=0-0"),
                ..RequestHeaders::default()
            };
            DownloadAnswer::decide(headers, object(10))
        };
        for tags in [ETAG, "W/\"a.pdf\"", "\"x\", \"a.pdf\"", "*"] {
            assert_eq!(decide(Some(tags), None), DownloadAnswer::NotModified);
        }
        assert_eq!(decide(Some("\"x\""), None), DownloadAnswer::Part(0..1));
        // The date does not count beside a tag.
        let both = decide(Some("\"x\""), Some(DATE));
        assert_eq!(both, DownloadAnswer::Part(0..1));
        assert_eq!(decide(None, Some(DATE)), DownloadAnswer::NotModified);
        let earlier = "Sat, 21 Nov 2026 10:59:59 GMT";
        assert_eq!(decide(None, Some(earlier)), DownloadAnswer::Part(0..1));
        assert_eq!(decide(None, Some("soon")), DownloadAnswer::Part(0..1));
    }

    #[test]
    fn a_part_of_something_else_is_not_sent() {
        for (if_range, answer) in [
            (ETAG, DownloadAnswer::Part(0..1)),
            (DATE, DownloadAnswer::Part(0..1)),
            ("W/\"a.pdf\"", DownloadAnswer::Whole),
            ("\"x\"", DownloadAnswer::Whole),
            ("Sat, 21 Nov 2026 11:00:01 GMT", DownloadAnswer::Whole),
            ("nonsense", DownloadAnswer::Whole),
        ] {
            let headers = RequestHeaders {
                if_range: Some(if_range),
                range: Some("bytes=0-0"),
                ..RequestHeaders::default()
            };
            assert_eq!(
                DownloadAnswer::decide(headers, object(10)),
                answer,
                "{if_range}"
            );
        }
    }

    proptest! {
        #[test]
        fn parts_lie_within_the_object(
            range in "(bytes=)?[0-9]{0,22}-[0-9]{0,22}|.{0,40}",
            size in prop_oneof![Just(0), Just(1), 0..1000_u64, any::<u64>()],
        ) {
            if let DownloadAnswer::Part(part) = ranged(&range, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
