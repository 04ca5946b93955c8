//! The file types that may be uploaded (contract section 7.5).

/// One of the 24 types, named for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    Pdf,
    Doc,
    Docx,
    Xls,
    Xlsx,
    Ppt,
    Pptx,
    PlainText,
    Csv,
    Jpeg,
    Png,
    Gif,
    Webp,
    Svg,
    Mp3,
    Wav,
    Ogg,
    Mp4,
    Avi,
    QuickTime,
    /// The same files as [`Avi`](Self::Avi) under their other name.
    MsVideo,
    Zip,
    Rar,
    SevenZip,
}

/// The groups in which the list of types is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    Documents,
    Images,
    Audio,
    Video,
}

/// Other names that phones, browsers and operating systems use for types of the list;
/// accepted, never shown.
const OTHER_NAMES: [(&str, MediaType); 33] = [
    ("application/x-pdf", MediaType::Pdf),
    ("application/x-msword", MediaType::Doc),
    ("application/msexcel", MediaType::Xls),
    ("application/x-msexcel", MediaType::Xls),
    ("application/mspowerpoint", MediaType::Ppt),
    ("application/x-mspowerpoint", MediaType::Ppt),
    ("application/csv", MediaType::Csv),
    ("text/x-csv", MediaType::Csv),
    ("text/comma-separated-values", MediaType::Csv),
    ("image/jpg", MediaType::Jpeg),
    ("image/pjpeg", MediaType::Jpeg),
    ("image/x-png", MediaType::Png),
    ("image/x-webp", MediaType::Webp),
    ("image/svg", MediaType::Svg),
    ("audio/mp3", MediaType::Mp3),
    ("audio/x-mp3", MediaType::Mp3),
    ("audio/mpeg3", MediaType::Mp3),
    ("audio/x-mpeg-3", MediaType::Mp3),
    ("audio/x-mpeg", MediaType::Mp3),
    ("audio/x-wav", MediaType::Wav),
    ("audio/wave", MediaType::Wav),
    ("audio/vnd.wave", MediaType::Wav),
    ("audio/x-pn-wav", MediaType::Wav),
    ("audio/x-ogg", MediaType::Ogg),
    ("application/ogg", MediaType::Ogg),
    ("video/vnd.avi", MediaType::Avi),
    ("video/msvideo", MediaType::MsVideo),
    ("application/x-zip", MediaType::Zip),
    ("application/x-zip-compressed", MediaType::Zip),
    ("application/vnd.rar", MediaType::Rar),
    ("application/x-rar", MediaType::Rar),
    ("application/rar", MediaType::Rar),
    ("application/x-7z", MediaType::SevenZip),
];

impl MediaType {
    /// All types, in the order of the contract.
    pub const ALL: [Self; 24] = [
        Self::Pdf,
        Self::Doc,
        Self::Docx,
        Self::Xls,
        Self::Xlsx,
        Self::Ppt,
        Self::Pptx,
        Self::PlainText,
        Self::Csv,
        Self::Jpeg,
        Self::Png,
        Self::Gif,
        Self::Webp,
        Self::Svg,
        Self::Mp3,
        Self::Wav,
        Self::Ogg,
        Self::Mp4,
        Self::Avi,
        Self::QuickTime,
        Self::MsVideo,
        Self::Zip,
        Self::Rar,
        Self::SevenZip,
    ];

    /// The types whose content is pixels that everybody shows.
    pub const PICTURES: [Self; 4] = [Self::Jpeg, Self::Png, Self::Gif, Self::Webp];

    /// The type that a part of a form declares. Case and parameters
    /// (`text/plain; charset=utf-8`) do not matter.
    pub fn parse(declared: &str) -> Option<Self> {
        let essence = declared.split(';').next().unwrap_or_default().trim();
        let listed = Self::ALL
            .into_iter()
            .find(|candidate| candidate.as_str().eq_ignore_ascii_case(essence));
        listed.or_else(|| {
            let mut others = OTHER_NAMES.iter();
            let found = others.find(|(name, _)| name.eq_ignore_ascii_case(essence));
            found.map(|(_, media_type)| *media_type)
        })
    }

    /// The type of stored objects with this ending; of several the first one.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|candidate| candidate.extension() == extension)
    }

    /// The name on the list of types, as it is stored and served.
    pub fn as_str(self) -> &'static str {
        self.names().0
    }

    /// The ending of stored objects, without the dot.
    pub fn extension(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Pdf => ("application/pdf", "pdf"),
            Self::Doc => ("application/msword", "doc"),
            Self::Docx => (
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                "docx",
            ),
            Self::Xls => ("application/vnd.ms-excel", "xls"),
            Self::Xlsx => (
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "xlsx",
            ),
            Self::Ppt => ("application/vnd.ms-powerpoint", "ppt"),
            Self::Pptx => (
                "application/vnd.openxmlformats-officedocument.presentationml.presentation",
                "pptx",
            ),
            Self::PlainText => ("text/plain", "txt"),
            Self::Csv => ("text/csv", "csv"),
            Self::Jpeg => ("image/jpeg", "jpg"),
            Self::Png => ("image/png", "png"),
            Self::Gif => ("image/gif", "gif"),
            Self::Webp => ("image/webp", "webp"),
            Self::Svg => ("image/svg+xml", "svg"),
            Self::Mp3 => ("audio/mpeg", "mp3"),
            Self::Wav => ("audio/wav", "wav"),
            Self::Ogg => ("audio/ogg", "ogg"),
            Self::Mp4 => ("video/mp4", "mp4"),
            Self::Avi => ("video/avi", "avi"),
            Self::QuickTime => ("video/quicktime", "mov"),
            Self::MsVideo => ("video/x-msvideo", "avi"),
            Self::Zip => ("application/zip", "zip"),
            Self::Rar => ("application/x-rar-compressed", "rar"),
            Self::SevenZip => ("application/x-7z-compressed", "7z"),
        }
    }

    /// The group of this type: archives count as documents.
    pub fn category(self) -> Category {
        match self.as_str().split('/').next() {
            Some("image") => Category::Images,
            Some("audio") => Category::Audio,
            Some("video") => Category::Video,
            _ => Category::Documents,
        }
    }

    /// Whether the content is pixels that [`make_thumbnail`](crate::make_thumbnail) reads.
    pub fn has_thumbnail(self) -> bool {
        Self::PICTURES.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_have_the_sizes_of_the_contract() {
        let count = |category| {
            let all = MediaType::ALL.iter();
            all.filter(|media_type| media_type.category() == category)
                .count()
        };
        assert_eq!(count(Category::Documents), 12);
        assert_eq!(count(Category::Images), 5);
        assert_eq!(count(Category::Audio), 3);
        assert_eq!(count(Category::Video), 4);
    }

    #[test]
    fn every_listed_name_is_parsed_to_itself() {
        for media_type in MediaType::ALL {
            assert_eq!(MediaType::parse(media_type.as_str()), Some(media_type));
            let found = MediaType::of_extension(media_type.extension()).expect("a type");
            assert_eq!(found.extension(), media_type.extension());
        }
    }

    #[test]
    fn case_parameters_and_other_names_are_understood() {
        let plain = MediaType::parse("Text/Plain; charset=utf-8");
        assert_eq!(plain, Some(MediaType::PlainText));
        assert_eq!(MediaType::parse("audio/x-wav"), Some(MediaType::Wav));
        let photo = MediaType::parse("IMAGE/JPG; name=x.jpg");
        assert_eq!(photo, Some(MediaType::Jpeg));
        for (name, media_type) in OTHER_NAMES {
            assert_eq!(MediaType::parse(name), Some(media_type), "{name}");
            assert!(MediaType::ALL.iter().all(|listed| listed.as_str() != name));
        }
        assert_eq!(MediaType::parse("text/html"), None);
        assert_eq!(MediaType::parse(""), None);
    }
}
