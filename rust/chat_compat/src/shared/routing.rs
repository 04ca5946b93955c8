//! From method and path to what a face does.

/// The methods of the sibling systems. (The server in front makes a GET of a HEAD.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    const ALL: [Self; 3] = [Self::Get, Self::Post, Self::Put];

    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Routed<R> {
    Found(R),
    /// The path has other methods: the value of `Allow`.
    WrongMethod(String),
    NotFound,
}

/// Asks a face for the route of a path with this method, or with which others it has one.
pub(crate) fn route<R>(method: &str, find: impl Fn(Method) -> Option<R>) -> Routed<R> {
    let known = Method::ALL.into_iter().find(|known| known.name() == method);
    if let Some(found) = known.and_then(&find) {
        return Routed::Found(found);
    }
    let allowed: Vec<&str> = Method::ALL
        .into_iter()
        .filter(|method| find(*method).is_some())
        .map(Method::name)
        .collect();
    if allowed.is_empty() {
        Routed::NotFound
    } else {
        Routed::WrongMethod(allowed.join(", "))
    }
}
