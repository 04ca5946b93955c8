//! Which office program a zip file belongs to, told by the names of its entries
//! (ECMA-376 part 2) as far as they stand in the head of the file.

use super::Verdict;
use crate::media_type::MediaType;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const HEADER_LENGTH: usize = 30;
/// The folders in which Word, Excel and PowerPoint keep a document.
const FOLDERS: [(&[u8], MediaType); 3] = [
    (b"word/", MediaType::Docx),
    (b"xl/", MediaType::Xlsx),
    (b"ppt/", MediaType::Pptx),
];

/// Goes through the local headers (APPNOTE.TXT, section 4.3.7) in the head; an
/// entry in one of the folders decides, anything else is let through.
pub(super) fn judge(declared: MediaType, head: &[u8]) -> Verdict {
    let mut rest = head;
    while let Some(at) = find(rest) {
        rest = &rest[at..];
        let Some(name) = entry_name(rest) else {
            break;
        };
        let mut folders = FOLDERS.iter();
        if let Some((_, found)) = folders.find(|(folder, _)| name.starts_with(folder)) {
            return match *found == declared {
                true => Verdict::Fits,
                false => Verdict::Differs,
            };
        }
        rest = &rest[LOCAL_HEADER.len()..];
    }
    Verdict::Undecided
}

fn find(rest: &[u8]) -> Option<usize> {
    rest.windows(LOCAL_HEADER.len())
        .position(|window| window == LOCAL_HEADER)
}

fn entry_name(header: &[u8]) -> Option<&[u8]> {
    let length = header.get(26..28)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    header.get(HEADER_LENGTH..HEADER_LENGTH + length)
}
