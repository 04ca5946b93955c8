//! What the first bytes of a file of each type look like.

use super::{MAX_HEAD_BYTES, Verdict, office, svg};
use crate::media_type::MediaType;

/// The containers of Office up to 2003, and of encrypted documents since.
const OLE2: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// Readers look for the header of a PDF this far into the file.
const PDF_HEAD_BYTES: usize = 1024;
const SVG_HEAD_BYTES: usize = 16 * 1024;
/// Brands of pictures that share the container of MP4.
const PICTURE_BRANDS: [&[u8; 4]; 8] = [
    b"avif", b"avis", b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1",
];
/// The atoms a QuickTime file without a brand begins with.
const QUICKTIME_ATOMS: [&[u8; 4]; 6] = [b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"];

/// A shorter head is judged only if it is the whole file.
pub(super) const LEAST_BYTES: usize = 32;

/// How much of a file has to be kept until the verdict is final.
pub(super) fn head_bytes(media_type: MediaType) -> usize {
    use MediaType as Type;
    match media_type {
        Type::Pdf => PDF_HEAD_BYTES,
        Type::Svg => SVG_HEAD_BYTES,
        Type::Docx | Type::Xlsx | Type::Pptx => MAX_HEAD_BYTES,
        _ => LEAST_BYTES,
    }
}

/// The verdict on this much of the file; `is_complete` says that no more comes.
pub(super) fn judge(declared: MediaType, head: &[u8], is_complete: bool) -> Verdict {
    use MediaType as Type;
    let matches = match declared {
        // Their content is checked as text, all of it.
        Type::PlainText | Type::Csv => return Verdict::Fits,
        Type::Svg => {
            // Text that never comes to an element is not SVG, unless it is cut off by the head.
            return match svg::judge(head) {
                Verdict::Undecided if is_complete && head.len() < SVG_HEAD_BYTES => {
                    Verdict::Differs
                }
                verdict => verdict,
            };
        }
        Type::Docx | Type::Xlsx | Type::Pptx if infer::archive::is_zip(head) => {
            return office::judge(declared, head);
        }
        Type::Docx | Type::Xlsx | Type::Pptx => head.starts_with(OLE2),
        Type::Doc => head.starts_with(OLE2) || head.starts_with(b"{\\rtf"),
        Type::Ppt => head.starts_with(OLE2),
        Type::Xls => head.starts_with(OLE2) || is_old_excel(head) || is_table(head),
        Type::Pdf => head.windows(5).any(|window| window == b"%PDF-"),
        Type::Jpeg => infer::image::is_jpeg(head),
        Type::Png => head.starts_with(b"\x89PNG\r\n\x1a\n"),
        Type::Gif => head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
        Type::Webp => infer::image::is_webp(head),
        Type::Mp3 => head.starts_with(b"ID3") || is_mpeg_audio(head),
        Type::Wav => is_riff(head, &[b"RIFF", b"RF64", b"BW64"], b"WAVE"),
        Type::Ogg => head.starts_with(b"OggS"),
        Type::Avi | Type::MsVideo => is_riff(head, &[b"RIFF"], b"AVI "),
        Type::Mp4 => is_mp4(head),
        Type::QuickTime => {
            is_mp4(head) || QUICKTIME_ATOMS.iter().any(|atom| has_at(head, 4, *atom))
        }
        Type::Zip => infer::archive::is_zip(head),
        Type::Rar => infer::archive::is_rar(head),
        Type::SevenZip => infer::archive::is_7z(head),
    };
    match matches {
        true => Verdict::Fits,
        false if is_complete || declared != Type::Pdf => Verdict::Differs,
        false => Verdict::Undecided,
    }
}

fn has_at(head: &[u8], offset: usize, expected: &[u8]) -> bool {
    head.get(offset..)
        .is_some_and(|rest| rest.starts_with(expected))
}

fn is_riff(head: &[u8], containers: &[&[u8; 4]], form: &[u8; 4]) -> bool {
    let is_container = containers.iter().any(|name| head.starts_with(*name));
    is_container && has_at(head, 8, form)
}

/// Any brand of ISO/IEC 14496-12 but those of pictures.
fn is_mp4(head: &[u8]) -> bool {
    has_at(head, 4, b"ftyp") && !PICTURE_BRANDS.iter().any(|brand| has_at(head, 8, *brand))
}

/// A frame header of MPEG audio without reserved values (ISO/IEC 11172-3, 2.4.1.3).
fn is_mpeg_audio(head: &[u8]) -> bool {
    let [first, second, third, ..] = *head else {
        return false;
    };
    let (version, layer) = ((second >> 3) & 3, (second >> 1) & 3);
    let (bit_rate, sampling) = (third >> 4, (third >> 2) & 3);
    first == 0xff
        && second & 0xe0 == 0xe0
        && version != 1
        && layer != 0
        && bit_rate != 15
        && sampling != 3
}

/// Worksheets of Excel 2 to 4, which have no container.
fn is_old_excel(head: &[u8]) -> bool {
    matches!(head, [0x09, 0x00 | 0x02 | 0x04, ..])
}

/// Browsers on Windows declare text tables as Excel files when Excel is there.
fn is_table(head: &[u8]) -> bool {
    let is_cut = |error: std::str::Utf8Error| error.error_len().is_none();
    std::str::from_utf8(head).map_or_else(is_cut, |_| true)
        && !head.contains(&0)
        && !head.trim_ascii_start().starts_with(b"<")
}
