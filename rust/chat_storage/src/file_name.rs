//! The names that clients give to files: what is kept of them for display and
//! what is offered as the name of a download.
//!
//! Neither is ever used as a path here; objects have keys of our own.

/// Both names are cut to this many bytes, the limit of most file systems.
pub const MAX_NAME_BYTES: usize = 255;

const FALLBACK: &str = "file";

/// Device names of Windows, which cannot be files there with any extension.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

/// The name as it was sent, path parts included, without what cannot be stored
/// or would change how a page shows the text around it: control characters,
/// NUL among them, and marks that change the direction of writing.
pub fn display_name(sent: &str) -> String {
    let kept: String = sent.chars().filter(|&c| !is_invisible(c)).collect();
    let kept = cut(kept.trim(), MAX_NAME_BYTES);
    if kept.is_empty() {
        FALLBACK.to_owned()
    } else {
        kept.to_owned()
    }
}

/// A name that is safe to save under on any system: the last path part, without
/// characters that some system refuses, never empty, never a device.
pub fn download_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let replaced: String = last
        .chars()
        .filter(|&c| !is_invisible(c))
        .map(|c| if is_forbidden(c) { '_' } else { c })
        .collect();
    // Windows drops dots and blanks at the end; a dot at the start hides a file.
    let is_edge = |c: char| c == '.' || c.is_whitespace();
    let shortened = shorten(replaced.trim_matches(is_edge), MAX_NAME_BYTES - 1);
    let trimmed = shortened.trim_matches(is_edge);
    if trimmed.is_empty() {
        FALLBACK.to_owned()
    } else if is_reserved(trimmed) {
        format!("_{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// Control characters and the marks of Unicode that are not seen but act: on
/// the direction of writing (UAX #9), as separators of lines, or as nothing.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn is_forbidden(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let (word, digit) = match stem.char_indices().nth(3) {
        Some((at, _)) => stem.split_at(at),
        None => (stem, ""),
    };
    let numbered = matches!(word.to_ascii_uppercase().as_str(), "COM" | "LPT");
    let known = RESERVED.iter().any(|name| name.eq_ignore_ascii_case(word));
    let mut digits = digit.chars();
    let one_digit = digits.next().is_some_and(|c| c.is_ascii_digit()) && digits.next().is_none();
    known
        && (if numbered {
            one_digit
        } else {
            digit.is_empty()
        })
}

/// Cuts the middle out of a name that is too long, so that the extension stays.
fn shorten(name: &str, max_bytes: usize) -> String {
    if name.len() <= max_bytes {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => {
            let stem = cut(stem, max_bytes - extension.len() - 1);
            format!("{stem}.{extension}")
        }
        _ => cut(name, max_bytes).to_owned(),
    }
}

/// The longest beginning of at most this many bytes.
fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn download_names_are_safe() {
        for (sent, name) in [
            ("informe.pdf", "informe.pdf"),
            ("año nuevo 🎉.txt", "año nuevo 🎉.txt"),
            ("文件.docx", "文件.docx"),
            ("../../etc/passwd", "passwd"),
            ("C:\\fakepath\\photo.jpg", "photo.jpg"),
            ("a/b/", "file"),
            ("", "file"),
            ("...", "file"),
            (".htaccess", "htaccess"),
            ("a\0b.txt", "ab.txt"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
            ("exe.\u{202e}gpj.txt", "exe.gpj.txt"),
            ("a\u{200f}b", "ab"),
            ("what?.txt", "what_.txt"),
            ("name. . ", "name"),
            ("con", "_con"),
            ("CON.txt", "_CON.txt"),
            ("com7.log", "_com7.log"),
            ("com77.log", "com77.log"),
            ("comé.log", "comé.log"),
            ("console.log", "console.log"),
            ("nul .txt", "_nul .txt"),
        ] {
            assert_eq!(download_name(sent), name, "{sent:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = download_name(&format!("{}.tar.gz", "é".repeat(300)));
        assert!(name.len() <= MAX_NAME_BYTES && name.ends_with("é.gz"));
        let name = download_name(&"x".repeat(1000));
        assert_eq!(name.len(), MAX_NAME_BYTES - 1);
    }

    #[test]
    fn display_names_keep_path_parts() {
        assert_eq!(display_name("../a/b.txt"), "../a/b.txt");
        assert_eq!(display_name("a\0\u{202e}b"), "ab");
        assert_eq!(display_name(" \u{7} "), "file");
        assert_eq!(display_name(&"é".repeat(200)).len(), 254);
    }

    proptest! {
        #[test]
        fn names_are_bounded_and_harmless(sent in any::<String>()) {
            for name in [display_name(&sent), download_name(&sent)] {
                prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES);
                prop_assert!(!name.chars().any(is_invisible));
            }
            let name = download_name(&sent);
            prop_assert!(!name.contains(['/', '\\', '"']) && !name.starts_with('.'));
            prop_assert!(!is_reserved(&name));
            prop_assert_eq!(download_name(&name), name);
        }
    }
}
