use proptest::prelude::*;

use super::*;

fn check(declared: MediaType, content: &[u8]) -> Result<Option<Dimensions>, ContentError> {
    check_in_pieces(declared, content, content.len().max(1))
}

fn check_in_pieces(
    declared: MediaType,
    content: &[u8],
    length: usize,
) -> Result<Option<Dimensions>, ContentError> {
    let mut check = ContentCheck::new(declared);
    for piece in content.chunks(length) {
        check.feed(piece)?;
    }
    check.finish()
}

fn fits(declared: MediaType, content: &[u8]) -> bool {
    [1, 7, 100, content.len().max(1)].into_iter().all(|length| {
        let result = check_in_pieces(declared, content, length);
        assert_eq!(
            result,
            check(declared, content),
            "{declared:?} in pieces of {length}"
        );
        result.is_ok()
    })
}

/// A zip with these entries, without their content.
fn zip(names: &[&str]) -> Vec<u8> {
    let mut zip = Vec::new();
    for name in names {
        zip.extend_from_slice(b"PK\x03\x04");
        zip.extend_from_slice(&[0; 22]);
        let length = u16::try_from(name.len()).expect("a short name");
        zip.extend_from_slice(&length.to_le_bytes());
        zip.extend_from_slice(&[0; 2]);
        zip.extend_from_slice(name.as_bytes());
        zip.extend_from_slice(b"compressed");
    }
    zip
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend_from_slice(&width.to_be_bytes());
    png.extend_from_slice(&height.to_be_bytes());
    png.extend_from_slice(b"\x08\x06\0\0\0....");
    png
}

/// A JPEG with a large profile before its frame header.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = b"\xff\xd8".to_vec();
    for _ in 0..3 {
        jpeg.extend_from_slice(b"\xff\xe2\xff\xff");
        jpeg.extend_from_slice(&[0xc0; 0xffff - 2]);
    }
    jpeg.extend_from_slice(b"\xff\xff\xc2\x00\x11\x08");
    jpeg.extend_from_slice(&height.to_be_bytes());
    jpeg.extend_from_slice(&width.to_be_bytes());
    jpeg.extend_from_slice(b"\x03 and so on");
    jpeg
}

fn riff(form: &[u8]) -> Vec<u8> {
    [b"RIFF\x10\0\0\0", form, &[0; 40]].concat()
}

/// One good file of every type.
fn sample(media_type: MediaType) -> Vec<u8> {
    use MediaType as Type;
    let ole2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and the sectors that follow";
    match media_type {
        Type::Pdf => b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj".to_vec(),
        Type::Doc | Type::Xls | Type::Ppt => ole2.to_vec(),
        Type::Docx => zip(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"]),
        Type::Xlsx => zip(&["[Content_Types].xml", "xl/workbook.xml"]),
        Type::Pptx => zip(&["ppt/presentation.xml"]),
        Type::PlainText => "hola, año 🎉\n".as_bytes().to_vec(),
        Type::Csv => b"a;b\n1;2\n".to_vec(),
        Type::Jpeg => jpeg(640, 480),
        Type::Png => png(640, 480),
        Type::Gif => b"GIF89a\x80\x02\xe0\x01\xf0\0\0".to_vec(),
        Type::Webp => riff(b"WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01"),
        Type::Svg => {
            b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec()
        }
        Type::Mp3 => b"ID3\x04\0\0\0\0\0\0 and frames".to_vec(),
        Type::Wav => riff(b"WAVEfmt "),
        Type::Ogg => b"OggS\0\x02 and pages".to_vec(),
        Type::Mp4 => b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".to_vec(),
        Type::QuickTime => b"\0\0\0\x14ftypqt  \0\0\0\0qt  ".to_vec(),
        Type::Avi | Type::MsVideo => riff(b"AVI LIST"),
        Type::Zip => zip(&["a.txt"]),
        Type::Rar => b"Rar!\x1a\x07\x01\0 and blocks".to_vec(),
        Type::SevenZip => b"7z\xbc\xaf\x27\x1c\0\x04 and streams".to_vec(),
    }
}

#[test]
fn good_files_of_all_types_fit() {
    for media_type in MediaType::ALL {
        assert!(fits(media_type, &sample(media_type)), "{media_type:?}");
        assert!(fits(media_type, b""), "empty {media_type:?}");
    }
}

#[test]
fn a_page_or_a_program_is_none_of_the_binary_types() {
    let page = b"<!DOCTYPE html><html><script>alert(1)</script></html>".as_slice();
    let program = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0 and so on".as_slice();
    let windows_program = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0 and so on".as_slice();
    for declared in MediaType::ALL {
        let is_text = matches!(declared, MediaType::PlainText | MediaType::Csv);
        assert_eq!(fits(declared, page), is_text, "{declared:?}");
        assert!(!fits(declared, program), "{declared:?}");
        assert!(!fits(declared, windows_program), "{declared:?}");
    }
}

#[test]
fn pictures_are_not_each_other() {
    use MediaType as Type;
    let pictures = [Type::Jpeg, Type::Png, Type::Gif, Type::Webp, Type::Svg];
    for declared in pictures {
        for sent in pictures {
            assert_eq!(fits(declared, &sample(sent)), declared == sent);
        }
    }
}

#[test]
fn a_picture_is_known_by_its_content() {
    for media_type in MediaType::ALL {
        let known = picture_type(&sample(media_type));
        assert_eq!(known, media_type.has_thumbnail().then_some(media_type));
    }
    for other in [
        &b""[..],
        b"x",
        b"\x89PNG",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"<svg/>",
    ] {
        assert_eq!(picture_type(other), None, "{other:?}");
    }
}

#[test]
fn office_files_are_not_each_other() {
    use MediaType as Type;
    for declared in [Type::Docx, Type::Xlsx, Type::Pptx] {
        for sent in [Type::Docx, Type::Xlsx, Type::Pptx] {
            assert_eq!(fits(declared, &sample(sent)), declared == sent);
        }
        // An encrypted document is an OLE2 container; entries far behind are not looked for.
        assert!(fits(declared, &sample(Type::Doc)));
        assert!(fits(declared, &zip(&["[Content_Types].xml"])));
        assert!(fits(Type::Zip, &sample(declared)));
    }
}

#[test]
fn what_browsers_and_old_programs_send_is_let_through() {
    use MediaType as Type;
    assert!(fits(Type::Xls, b"a,b\n1,2\n"));
    assert!(fits(Type::Doc, b"{\\rtf1\\ansi and so on}"));
    assert!(fits(Type::Mp3, b"\xff\xfb\x90\x64\0\0\0\0\0\0\0\0"));
    assert!(fits(Type::QuickTime, b"\0\0\0\x08wide\0\0\0\x08mdat"));
    assert!(fits(
        Type::Pdf,
        &[&[b' '; 500][..], b"%PDF-1.4 and so on"].concat()
    ));
    assert!(!fits(
        Type::Pdf,
        &[&[b' '; 1100][..], b"%PDF-1.4 and so on"].concat()
    ));
    assert!(!fits(
        Type::Mp4,
        b"\0\0\0\x20ftypheic\0\0\0\0mif1heic and so on"
    ));
    assert!(!fits(
        Type::Xls,
        b"<html><table><tr><td>1</td></tr></table>"
    ));
}

#[test]
fn text_is_checked_to_its_end() {
    let mut text = vec![b'a'; 100_000];
    assert!(fits(MediaType::PlainText, &text));
    text.push(0);
    assert!(!fits(MediaType::PlainText, &text));
    text.pop();
    text.push(0xc3);
    assert!(!fits(MediaType::Csv, &text));
    let mut check = ContentCheck::new(MediaType::PlainText);
    assert!(check.feed(b"\xff").is_err());
    assert!(check.feed(b"a").is_err(), "a refused file stays refused");
}

#[test]
fn what_is_shorter_than_every_signature_is_let_through() {
    for declared in MediaType::ALL {
        for content in ["", "x", "xyz"] {
            assert!(fits(declared, content.as_bytes()), "{declared:?} {content}");
        }
    }
    assert!(!fits(MediaType::Png, b"xyzw"));
}

#[test]
fn svg_is_told_by_its_root_element() {
    let fitting = [
        "<svg/>",
        "<svg>",
        "\u{feff}<svg>",
        "  <!-- a > b --> <svg\n width='1'>",
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\"><svg>",
        "<!DOCTYPE svg [ <!ENTITY a \"<b>\"> ]>\n<svg>",
        "<?xml version='1.0'?><?xml-stylesheet href='a'?><s:svg>",
    ];
    for text in fitting {
        assert!(fits(MediaType::Svg, text.as_bytes()), "{text}");
    }
    let others = [
        "<html><svg/></html>",
        "<svgs>",
        "svg!",
        "<!-- <svg> -->",
        "<!DOCTYPE html><html>",
    ];
    for text in others {
        assert!(!fits(MediaType::Svg, text.as_bytes()), "{text}");
    }
    let latin1 = b"<svg><text>a\xf1o</text></svg>";
    assert!(!fits(MediaType::Svg, latin1));
}

#[test]
fn dimensions_are_read() {
    use MediaType as Type;
    for media_type in [Type::Jpeg, Type::Png, Type::Gif, Type::Webp] {
        let found = check(media_type, &sample(media_type)).expect("it fits");
        let expected = Dimensions {
            width: 640,
            height: 480,
        };
        assert_eq!(found, Some(expected), "{media_type:?}");
    }
    let extended = riff(b"WEBPVP8X\x0a\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0");
    let lossless = riff(b"WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0");
    for webp in [extended, lossless] {
        let found = check(Type::Webp, &webp).expect("it fits");
        assert_eq!(found.map(|d| (d.width, d.height)), Some((640, 480)));
    }
}

#[test]
fn pictures_that_are_too_large_are_refused_by_their_header() {
    for (width, height, is_good) in [
        (16_384, 3_000, true),
        (16_385, 1, false),
        (1, 16_385, false),
        (7_071, 7_071, true),
        (7_072, 7_072, false),
        (u32::MAX, u32::MAX, false),
    ] {
        let result = check(MediaType::Png, &png(width, height));
        assert_eq!(result.is_ok(), is_good, "{width} × {height}");
    }
    let mut check = ContentCheck::new(MediaType::Jpeg);
    let result = check.feed(&jpeg(60_000, 60_000));
    let error = result.expect_err("before the end of the file");
    assert_eq!(error.code(), "image_too_large");
}

proptest! {
    #[test]
    fn any_content_is_survived_and_its_cuts_do_not_matter(
        declared in proptest::sample::select(MediaType::ALL.to_vec()),
        start in 0..40_usize,
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        length in 1..50_usize,
    ) {
        let mut content = sample(declared);
        content.truncate(start);
        content.extend_from_slice(&noise);
        let (pieces, whole) = (check_in_pieces(declared, &content, length), check(declared, &content));
        prop_assert_eq!(pieces, whole);
    }
}
