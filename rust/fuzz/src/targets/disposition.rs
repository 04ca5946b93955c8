//! The names of files, as clients send them: the header of a download is ASCII, and
//! says the name that was meant.

use chat_storage::{Disposition, MAX_NAME_BYTES, display_name, download_name};
use percent_encoding::percent_decode_str;

pub(crate) fn check(data: &[u8]) {
    let sent = String::from_utf8_lossy(data);
    let (name, shown) = (download_name(&sent), display_name(&sent));
    for name in [&name, &shown] {
        assert!(!name.contains(char::is_control), "{name:?}");
        assert!(name.len() <= MAX_NAME_BYTES, "{name:?}");
    }
    assert!(!name.contains(['/', '\\']) && !name.is_empty(), "{name:?}");
    if name.len() < MAX_NAME_BYTES {
        assert_eq!(download_name(&name), name);
    }
    let header = Disposition::Attachment.header(&sent);
    assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    let rest = header
        .strip_prefix("attachment; filename=\"")
        .expect("the form");
    let (plain, rest) = rest.split_once('"').expect("the closing quote");
    let read = match rest.strip_prefix("; filename*=UTF-8''") {
        Some(encoded) => percent_decode_str(encoded)
            .decode_utf8()
            .expect("UTF-8")
            .into_owned(),
        None => plain.to_owned(),
    };
    assert_eq!(read, name);
}
