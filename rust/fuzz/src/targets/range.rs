//! The headers of a download: a part is never empty and never beyond the end, and the
//! answer says truly which it is.

use std::time::{Duration, UNIX_EPOCH};

use chat_storage::{DownloadAnswer, Representation, RequestHeaders};

pub(crate) fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let size = lines
        .next()
        .and_then(|line| line.parse().ok())
        .unwrap_or(1000);
    let mut header = || lines.next().filter(|line| !line.is_empty());
    let headers = RequestHeaders {
        range: header(),
        if_range: header(),
        if_none_match: header(),
        if_modified_since: header(),
    };
    let object = Representation {
        etag: "\"1\"",
        modified: Some(UNIX_EPOCH + Duration::from_millis(1_784_000_000_500)),
        size,
    };
    let answer = DownloadAnswer::decide(headers, object);
    let said = answer.content_range(size);
    match answer {
        DownloadAnswer::Part(part) => {
            assert!(part.start < part.end && part.end <= size);
            let said = said.expect("a part is named");
            let (part_said, size_said) = said["bytes ".len()..].split_once('/').expect("a size");
            let (first, last) = part_said.split_once('-').expect("two places");
            assert_eq!(first.parse(), Ok(part.start));
            assert_eq!(last.parse(), Ok(part.end - 1));
            assert_eq!(size_said.parse(), Ok(size));
        }
        DownloadAnswer::Unsatisfiable => {
            assert!(headers.range.is_some_and(|range| range.contains('=')));
            assert_eq!(said, Some(format!("bytes */{size}")));
        }
        DownloadAnswer::NotModified => {
            assert!(
                headers
                    .if_none_match
                    .or(headers.if_modified_since)
                    .is_some()
            );
            assert_eq!(said, None);
        }
        DownloadAnswer::Whole => assert_eq!(said, None),
    }
}
