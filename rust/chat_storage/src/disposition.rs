//! The header `Content-Disposition` (RFC 6266, RFC 8187): whether a browser may
//! show a file, and under which name it is saved.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::file_name::download_name;
use crate::media_type::MediaType;

/// What RFC 8187 (section 3.2.1) lets stand unencoded besides letters and digits.
const EXTENDED_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What a browser may do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Show it in the page or a tab.
    Inline,
    /// Save it.
    Attachment,
}

impl Disposition {
    /// Inline is what no browser runs scripts of: pictures, sound, film, plain
    /// text and PDF (whose viewers have no access to the page's origin). SVG,
    /// and every type that is not on the list, is only saved.
    pub fn of(content_type: &str) -> Self {
        use MediaType as Type;
        match MediaType::parse(content_type) {
            Some(
                Type::Jpeg
                | Type::Png
                | Type::Gif
                | Type::Webp
                | Type::Mp3
                | Type::Wav
                | Type::Ogg
                | Type::Mp4
                | Type::Avi
                | Type::QuickTime
                | Type::MsVideo
                | Type::Pdf
                | Type::PlainText,
            ) => Self::Inline,
            _ => Self::Attachment,
        }
    }

    /// The value of the header for a file with this name, as a client sent it.
    /// ASCII, whatever the name is.
    pub fn header(self, sent_name: &str) -> String {
        let kind = match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        };
        let name = download_name(sent_name);
        // A percent sign in the plain form is decoded by some browsers.
        let plain: String = name
            .chars()
            .map(|c| match c {
                '%' | '"' | '\\' => '_',
                ' '..='~' => c,
                _ => '_',
            })
            .collect();
        let mut header = format!("{kind}; filename=\"{plain}\"");
        if plain != name {
            let encoded = utf8_percent_encode(&name, EXTENDED_VALUE);
            header.push_str(&format!("; filename*=UTF-8''{encoded}"));
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    #[test]
    fn only_what_cannot_run_is_shown() {
        for inline in [
            "image/png",
            "video/mp4",
            "application/pdf",
            "text/plain; charset=utf-8",
        ] {
            assert_eq!(Disposition::of(inline), Disposition::Inline, "{inline}");
        }
        for saved in [
            "image/svg+xml",
            "text/html",
            "application/xhtml+xml",
            "text/csv",
            "application/zip",
            "application/octet-stream",
            "",
        ] {
            assert_eq!(Disposition::of(saved), Disposition::Attachment, "{saved}");
        }
    }

    #[test]
    fn names_of_any_language_are_sent() {
        for (name, header) in [
            ("a b.txt", "inline; filename=\"a b.txt\""),
            (
                "año.txt",
                "inline; filename=\"a_o.txt\"; filename*=UTF-8''a%C3%B1o.txt",
            ),
            (
                "100%.txt",
                "inline; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt",
            ),
            ("x\"\r\ny.txt", "inline; filename=\"x_y.txt\""),
        ] {
            assert_eq!(Disposition::Inline.header(name), header);
        }
    }

    proptest! {
        #[test]
        fn every_header_is_ascii_and_is_read_back(sent in any::<String>()) {
            let header = Disposition::Attachment.header(&sent);
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let rest = header.strip_prefix("attachment; filename=\"").expect("the form");
            let (plain, rest) = rest.split_once('"').expect("the closing quote");
            let read = match rest.strip_prefix("; filename*=UTF-8''") {
                Some(encoded) => percent_decode_str(encoded).decode_utf8().expect("UTF-8").into_owned(),
                None => { prop_assert_eq!(rest, ""); plain.to_owned() }
            };
            prop_assert_eq!(read, download_name(&sent));
        }
    }
}
