//! The query of a handshake: its parameters are those that any other reader finds.

use chat_gateway::last_query_value;

pub(crate) fn check(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else {
        return;
    };
    for name in ["token", "since_seq", "sid"] {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let last = pairs.filter(|(key, _)| key == name).last();
        assert_eq!(
            last_query_value(query, name),
            last.map(|(_, value)| value.into_owned())
        );
    }
}
