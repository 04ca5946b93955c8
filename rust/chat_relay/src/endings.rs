//! The reasons that clients are given when the home ends their connection.

use chat_hub::DisconnectReason;

/// Those of the systems; the others are the hub's.
const OF_SYSTEMS: [&str; 3] = [
    "Authentication failed",
    "Token is required",
    "authentication timed out",
];

const OF_HUB: [DisconnectReason; 3] = [
    DisconnectReason::KeepaliveTimeout,
    DisconnectReason::ServiceRestart,
    DisconnectReason::SlowConsumer,
];

/// What ends a connection here that the home has ended so; without a code it is gone
/// without a word.
pub(crate) fn reason(close: Option<(u16, &str)>) -> DisconnectReason {
    let Some((code, text)) = close else {
        return DisconnectReason::ConnectionLost;
    };
    let of_hub = OF_HUB.iter().filter_map(|reason| reason.close_code());
    let known = of_hub.map(|(_, known)| known).chain(OF_SYSTEMS);
    // A close frame need not say why; the code is what clients go by.
    let text = known.into_iter().find(|known| *known == text);
    DisconnectReason::Dismissed(code, text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_what_the_home_has_said() {
        for close in [
            (1008, "Token is required"),
            (1012, "service restart"),
            (1000, ""),
        ] {
            assert_eq!(reason(Some(close)).close_code(), Some(close));
        }
        let unknown = reason(Some((4000, "whatever")));
        assert_eq!(unknown.close_code(), Some((4000, "")));
        assert_eq!(reason(None).close_code(), None);
    }
}
