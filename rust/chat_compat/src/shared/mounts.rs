//! Which system a path belongs to.

use crate::config::System;

/// A system and the segments of the path inside it, a trailing slash left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) system: System,
    pub(crate) path: Vec<&'a str>,
    /// False at the origin, where `/` is the primary's.
    pub(crate) is_mounted: bool,
}

/// `/compat/<short name>/…`, and at the origin what clashes with nothing there.
pub(crate) fn resolve<'a>(path: &'a str, served: &[System]) -> Option<Target<'a>> {
    let path = path.strip_prefix('/')?;
    let segments: Vec<&str> = match path.strip_suffix('/').unwrap_or(path) {
        "" => Vec::new(),
        path => path.split('/').collect(),
    };
    let (system, path, is_mounted) = match segments.as_slice() {
        ["compat", name, rest @ ..] => (System::from_name(name)?, rest, true),
        all @ ["api", "meetings", ..] => (System::Meetings, all, false),
        all @ ["users" | "calls" | "rooms" | "livekit" | "devices", ..] => {
            (System::Calls, all, false)
        }
        _ => return None,
    };
    served.contains(&system).then(|| Target {
        system,
        path: path.to_vec(),
        is_mounted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_system() {
        let find = |path| resolve(path, &System::ALL).map(|target| (target.system, target.path));
        assert_eq!(find("/compat/ws-hub"), Some((System::WsHub, vec![])));
        assert_eq!(find("/compat/ws-hub/"), Some((System::WsHub, vec![])));
        assert_eq!(
            find("/compat/webrtc/api/rooms/"),
            Some((System::Webrtc, vec!["api", "rooms"]))
        );
        assert_eq!(
            find("/api/meetings/x"),
            Some((System::Meetings, vec!["api", "meetings", "x"]))
        );
        assert_eq!(find("/users"), Some((System::Calls, vec!["users"])));
        for nothing in [
            "",
            "/",
            "/compat",
            "/compat/izpo",
            "/api/rooms",
            "/health",
            "users",
        ] {
            assert_eq!(find(nothing), None, "{nothing}");
        }
        assert_eq!(resolve("/users", &[System::Webrtc]), None);
    }
}
