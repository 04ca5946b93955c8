//! Whether text is SVG: an XML document whose root element is `svg`.

use super::Verdict;

/// Walks over what may stand before the root element (XML 1.0, section 2.8):
/// the declaration, comments, other instructions and the document type.
pub(super) fn judge(head: &[u8]) -> Verdict {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Verdict::Undecided;
        }
        let end = if rest.starts_with(b"<?") {
            find(rest, b"?>")
        } else if rest.starts_with(b"<!--") {
            find(rest, b"-->")
        } else if rest.starts_with(b"<!DOCTYPE") {
            end_of_document_type(rest)
        } else if [&b"<!--"[..], b"<!DOCTYPE", b"<?"]
            .iter()
            .any(|start| start.starts_with(rest))
        {
            None
        } else {
            return judge_root(rest);
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => return Verdict::Undecided,
        }
    }
}

fn judge_root(rest: &[u8]) -> Verdict {
    let Some(name) = rest.strip_prefix(b"<") else {
        return Verdict::Differs;
    };
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
    match name.iter().position(is_end) {
        Some(end) => {
            // A prefix stands for the namespace: "svg:svg".
            let name = name[..end].rsplit(|byte| *byte == b':').next();
            if name == Some(b"svg") {
                Verdict::Fits
            } else {
                Verdict::Differs
            }
        }
        None => Verdict::Undecided,
    }
}

/// The document type may hold declarations in brackets, which hold `>`.
fn end_of_document_type(rest: &[u8]) -> Option<usize> {
    let close = find(rest, b">")?;
    match rest[..close].contains(&b'[') {
        false => Some(close),
        true => {
            let inner = find(rest, b"]")?;
            find(&rest[inner..], b">").map(|end| inner + end)
        }
    }
}

/// Where the first `needle` ends.
fn find(rest: &[u8], needle: &[u8]) -> Option<usize> {
    let mut windows = rest.windows(needle.len());
    let found = windows.position(|window| window == needle);
    found.map(|at| at + needle.len())
}
