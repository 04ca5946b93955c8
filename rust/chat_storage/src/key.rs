//! The names of objects: `<YYYY>/<MM>/<DD>/<uuid4>.<extension>` (contract
//! section 7.1), and the same with `.thumbnail.webp` for a thumbnail. Beside them
//! `public-images/<uuid4>.<extension>`, pictures whose name is all one needs to
//! read them.
//!
//! Only these forms can become an [`ObjectKey`], so no key ever leads out of a
//! store, whatever a client or an old row says; and none is of both forms, so what
//! serves public images reaches no file that has rules of access, nor the other
//! way round. Nothing is written twice under one key, so a key also names its
//! content.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use uuid::Uuid;

use crate::media_type::MediaType;

const PUBLIC_IMAGES: &str = "public-images/";
const THUMBNAIL_SUFFIX: &str = ".thumbnail.webp";
const UUID_LENGTH: usize = 36;
const MAX_EXTENSION_LENGTH: usize = 8;

/// The name of one object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A new name that nobody can guess.
    pub fn generate(at: DateTime<Utc>, media_type: MediaType) -> Self {
        // Years after 9999 would not be parsed again; the remainder keeps the form.
        let (year, month, day) = (at.year().rem_euclid(10_000), at.month(), at.day());
        let (id, extension) = (Uuid::new_v4(), media_type.extension());
        Self(format!("{year:04}/{month:02}/{day:02}/{id}.{extension}"))
    }

    /// A name that has been made here or by the original, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let name = parts.next()?;
        let is_key = parts.next().is_none()
            && is_number(year, 4, 0..=9999)
            && is_number(month, 2, 1..=12)
            && is_number(day, 2, 1..=31)
            && is_file_name(name);
        is_key.then(|| Self(text.to_owned()))
    }

    /// A new name for a public image that nobody can guess.
    pub fn generate_public_image(media_type: MediaType) -> Self {
        let (id, extension) = (Uuid::new_v4(), media_type.extension());
        Self(format!("{PUBLIC_IMAGES}{id}.{extension}"))
    }

    /// The public image of this file name, if it is the name of one. No other object
    /// has such a key.
    pub fn of_public_image(file_name: &str) -> Option<Self> {
        is_image_name(file_name).then(|| Self(format!("{PUBLIC_IMAGES}{file_name}")))
    }

    /// A name of either form, as it stands in a list of objects to delete.
    pub fn parse_announced(text: &str) -> Option<Self> {
        match text.strip_prefix(PUBLIC_IMAGES) {
            Some(file_name) => Self::of_public_image(file_name),
            None => Self::parse(text),
        }
    }

    /// The name at the end of a URL, of this service or of a bucket, signed or not.
    pub fn from_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next()?;
        let (start, _) = path.rmatch_indices('/').nth(3)?;
        Self::parse(path.get(start + 1..)?)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of the name: what a row calls `stored_filename`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The ending of the name, without the dot.
    pub fn extension(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// The folders that it lies in, the outermost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        let (folders, _) = self.0.rsplit_once('/').unwrap_or_default();
        folders.split('/')
    }

    /// The name of the thumbnail of this object.
    pub fn thumbnail(&self) -> Self {
        Self(format!("{}{THUMBNAIL_SUFFIX}", self.original().0))
    }

    /// The object that this one is the thumbnail of; itself if it is none.
    pub fn original(&self) -> Self {
        let name = self.0.strip_suffix(THUMBNAIL_SUFFIX);
        Self(name.unwrap_or(&self.0).to_owned())
    }

    /// Whether this names a thumbnail.
    pub fn is_thumbnail(&self) -> bool {
        self.0.ends_with(THUMBNAIL_SUFFIX)
    }

    /// A strong entity tag (RFC 9110, section 8.8.3), quotes included.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.file_name())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_number(text: &str, length: usize, range: std::ops::RangeInclusive<u16>) -> bool {
    text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse().is_ok_and(|number| range.contains(&number))
}

fn is_file_name(name: &str) -> bool {
    let name = name.strip_suffix(THUMBNAIL_SUFFIX).unwrap_or(name);
    let Some((id, extension)) = name.split_once('.') else {
        return false;
    };
    parse_id(id).is_some()
        && (1..=MAX_EXTENSION_LENGTH).contains(&extension.len())
        && extension.bytes().all(is_lowercase)
}

fn is_image_name(name: &str) -> bool {
    let Some((id, extension)) = name.split_once('.') else {
        return false;
    };
    let mut extensions = MediaType::PICTURES.into_iter().map(MediaType::extension);
    parse_id(id).is_some_and(|id| id.get_version_num() == 4)
        && extensions.any(|known| known == extension)
}

/// In the one way of writing them that is used here.
fn parse_id(text: &str) -> Option<Uuid> {
    let is_plain =
        text.len() == UUID_LENGTH && text.bytes().all(|byte| byte == b'-' || is_lowercase(byte));
    is_plain.then(|| Uuid::try_parse(text).ok()).flatten()
}

fn is_lowercase(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "2026/11/21/0f8fad5b-d9cb-469f-a165-70867728950e.pdf";

    #[test]
    fn a_generated_key_is_parsed_to_itself() {
        for media_type in MediaType::ALL {
            let key = ObjectKey::generate(Utc::now(), media_type);
            assert_eq!(ObjectKey::parse(key.as_str()), Some(key.clone()));
            let thumbnail = key.thumbnail();
            assert_eq!(ObjectKey::parse(thumbnail.as_str()), Some(thumbnail));
        }
    }

    #[test]
    fn a_thumbnail_knows_its_original() {
        let key = ObjectKey::parse(KEY).expect("a key");
        let thumbnail = key.thumbnail();
        assert!(thumbnail.is_thumbnail() && !key.is_thumbnail());
        assert_eq!(thumbnail.original(), key);
        assert_eq!(thumbnail.thumbnail(), thumbnail);
        assert_ne!(thumbnail.etag(), key.etag());
    }

    #[test]
    fn urls_end_in_their_key() {
        let found = [
            format!("https://storage.googleapis.com/bucket/{KEY}"),
            format!("https://storage.googleapis.com/bucket/{KEY}?X-Goog-Signature=a/b/c"),
            format!("http://chat.example/some/api/files/{KEY}#page=2"),
        ];
        for url in found {
            let key = ObjectKey::from_url(&url).expect("a key");
            assert_eq!(key.as_str(), KEY, "{url}");
        }
        assert_eq!(ObjectKey::from_url(KEY), None);
        assert_eq!(ObjectKey::from_url("https://example.com/"), None);
    }

    #[test]
    fn what_is_not_ours_is_no_key() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        for text in [
            String::new(),
            "..".to_owned(),
            "../../etc/passwd".to_owned(),
            format!("/{KEY}"),
            format!("{KEY}/"),
            format!("x/{KEY}"),
            format!("2026/13/21/{id}.pdf"),
            format!("2026/11/00/{id}.pdf"),
            format!("+026/11/21/{id}.pdf"),
            format!("2026/11/21/{id}"),
            format!("2026/11/21/{id}."),
            format!("2026/11/21/{id}.PDF"),
            format!("2026/11/21/{id}.p/f"),
            format!("2026/11/21/{id}.pdf\0"),
            format!("2026/11/21/{}.pdf", id.to_uppercase()),
            format!("2026/11/21/{}.pdf", id.replace('-', "")),
            format!("../11/21/{id}.pdf"),
            format!("2026/../21/{id}.pdf"),
        ] {
            assert_eq!(ObjectKey::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn public_images_are_no_files_and_files_no_public_images() {
        for media_type in MediaType::PICTURES {
            let (image, file) = (
                ObjectKey::generate_public_image(media_type),
                ObjectKey::generate(Utc::now(), media_type),
            );
            let found = ObjectKey::of_public_image(image.file_name());
            assert_eq!(found.as_ref(), Some(&image));
            assert_eq!(image.folders().collect::<Vec<_>>(), ["public-images"]);
            assert_eq!(ObjectKey::parse(image.as_str()), None);
            let url = format!("http://chat.example/api/uploads/files/{image}");
            assert_eq!(ObjectKey::from_url(&url), None);
            // The name of a file is the name of an image, but of one that does not exist.
            let other = ObjectKey::of_public_image(file.file_name());
            assert_ne!(other, Some(file.clone()));
            for foreign in [file.as_str(), image.as_str(), file.thumbnail().file_name()] {
                assert_eq!(ObjectKey::of_public_image(foreign), None, "{foreign}");
            }
            for key in [image, file] {
                assert_eq!(ObjectKey::parse_announced(key.as_str()), Some(key));
            }
        }
    }

    #[test]
    fn only_names_made_here_are_names_of_images() {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
        for name in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "a.png".to_owned(),
            id.to_owned(),
            format!("{id}."),
            format!("{id}.svg"),
            format!("{id}.pdf"),
            format!("{id}.PNG"),
            format!("{id}.png.png"),
            format!("{id}.png\0"),
            format!("/{id}.png"),
            format!("../{id}.png"),
            format!("{}.png", id.to_uppercase()),
            format!("{}.png", id.replace('-', "")),
            // Of another version.
            "0f8fad5b-d9cb-169f-a165-70867728950e.png".to_owned(),
        ] {
            assert_eq!(ObjectKey::of_public_image(&name), None, "{name:?}");
            let announced = format!("{PUBLIC_IMAGES}{name}");
            assert_eq!(ObjectKey::parse_announced(&announced), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_key_that_leads_elsewhere(text in ".{0,80}|[0-9./a-f-]{0,80}") {
            if let Some(key) = ObjectKey::parse(&text) {
                prop_assert!(!key.as_str().contains(".."));
                prop_assert_eq!(key.folders().count(), 3);
            }
            if let Some(key) = ObjectKey::of_public_image(&text) {
                prop_assert!(!key.as_str().contains(".."));
                prop_assert_eq!(key.folders().count(), 1);
            }
            let _ = ObjectKey::from_url(&text);
        }
    }
}
