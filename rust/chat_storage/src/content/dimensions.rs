//! The size of a picture in pixels, read from the first bytes of its file.

use crate::media_type::MediaType;

/// The longest side that is let through, in pixels.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// The largest picture that is let through, in pixels.
const MAX_PIXELS: u64 = 50_000_000;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

impl Dimensions {
    /// Whether the picture is small enough to be decoded by anybody.
    pub(crate) fn are_bounded(self) -> bool {
        let pixels = u64::from(self.width) * u64::from(self.height);
        self.width <= MAX_SIDE && self.height <= MAX_SIDE && pixels <= MAX_PIXELS
    }
}

/// The size of a PNG, GIF or WebP; nothing for other types or a damaged header.
/// All of them say it in the first 30 bytes.
pub(super) fn in_head(media_type: MediaType, head: &[u8]) -> Option<Dimensions> {
    match media_type {
        // The chunk IHDR comes first (PNG, section 5.6).
        MediaType::Png => Some(Dimensions {
            width: u32::from_be_bytes(bytes_at(head, 16)?),
            height: u32::from_be_bytes(bytes_at(head, 20)?),
        }),
        // The logical screen descriptor (GIF89a, section 18).
        MediaType::Gif => Some(Dimensions {
            width: u16::from_le_bytes(bytes_at(head, 6)?).into(),
            height: u16::from_le_bytes(bytes_at(head, 8)?).into(),
        }),
        MediaType::Webp => in_webp(head),
        _ => None,
    }
}

/// The first chunk of a WebP file (RFC 9649) is one of three.
fn in_webp(head: &[u8]) -> Option<Dimensions> {
    match &bytes_at::<4>(head, 12)? {
        // The canvas, less one, in 24 bits each.
        b"VP8X" => {
            let [w0, w1, w2, h0, h1, h2] = bytes_at(head, 24)?;
            Some(Dimensions {
                width: u32::from_le_bytes([w0, w1, w2, 0]) + 1,
                height: u32::from_le_bytes([h0, h1, h2, 0]) + 1,
            })
        }
        // The frame header (RFC 6386, section 9.1): 14 bits each.
        b"VP8 " => Some(Dimensions {
            width: u32::from(u16::from_le_bytes(bytes_at(head, 26)?) & 0x3fff),
            height: u32::from(u16::from_le_bytes(bytes_at(head, 28)?) & 0x3fff),
        }),
        // Both less one in 14 bits, behind a signature byte.
        b"VP8L" => {
            let bits = u32::from_le_bytes(bytes_at(head, 21)?);
            Some(Dimensions {
                width: (bits & 0x3fff) + 1,
                height: ((bits >> 14) & 0x3fff) + 1,
            })
        }
        _ => None,
    }
}

fn bytes_at<const N: usize>(head: &[u8], offset: usize) -> Option<[u8; N]> {
    head.get(offset..offset + N)?.try_into().ok()
}
