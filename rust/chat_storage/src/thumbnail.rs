//! Small pictures of large ones.
//!
//! Pure computation with bounds of its own: it may take a second of a core, so
//! it belongs on a blocking thread behind a semaphore. The answer is lossless
//! WebP, the only kind that can be written without a C library.

use std::io::{BufRead, Cursor, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use image::codecs::webp::WebPEncoder;
use image::error::ImageError;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::content::MAX_SIDE;
use crate::media_type::MediaType;

/// The longer side of a thumbnail, in pixels. Smaller pictures stay as they are.
pub const THUMBNAIL_SIDE: u32 = 512;
/// What a decoder may allocate: 50 megapixels without transparency.
const MAX_DECODER_BYTES: u64 = 160 * 1024 * 1024;
/// How long reading may go on; what has been read is then decoded to its end.
const MAX_READING: Duration = Duration::from_secs(10);

/// Why there is no thumbnail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThumbnailError {
    /// The type is no picture of pixels.
    #[error("{} has no thumbnail", .0.as_str())]
    Unsupported(MediaType),
    #[error("the picture is damaged")]
    Damaged(#[source] ImageError),
    /// Decoding it would take more memory or time than it is worth.
    #[error("the picture is too large")]
    TooLarge(#[source] ImageError),
}

/// Makes a thumbnail in WebP of the first picture in `source`: turned as its
/// EXIF data says, with its proportions, at most [`THUMBNAIL_SIDE`] pixels long.
///
/// Takes up to 160 MiB while it runs, and for a JPEG as much as its file is long.
///
/// # Errors
/// See [`ThumbnailError`]; whatever the bytes are, this does not panic.
pub fn make_thumbnail(
    media_type: MediaType,
    source: impl BufRead + Seek,
) -> Result<Vec<u8>, ThumbnailError> {
    let format = match media_type {
        MediaType::Jpeg => ImageFormat::Jpeg,
        MediaType::Png => ImageFormat::Png,
        MediaType::Gif => ImageFormat::Gif,
        MediaType::Webp => ImageFormat::WebP,
        other => return Err(ThumbnailError::Unsupported(other)),
    };
    let picture = decode(format, source).map_err(classify)?;
    encode(&picture).map_err(classify)
}

fn decode(format: ImageFormat, source: impl BufRead + Seek) -> Result<DynamicImage, ImageError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(TimedSource::new(source), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // The decoder bounds only what it needs besides the picture itself.
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    // Turning needs a second copy: the small picture has the same proportions.
    picture = shrink(picture);
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn shrink(picture: DynamicImage) -> DynamicImage {
    if picture.width().max(picture.height()) <= THUMBNAIL_SIDE {
        return picture;
    }
    picture.thumbnail(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
}

fn encode(picture: &DynamicImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    if picture.color().has_alpha() {
        picture.to_rgba8().write_with_encoder(encoder)?;
    } else {
        picture.to_rgb8().write_with_encoder(encoder)?;
    }
    Ok(bytes.into_inner())
}

fn classify(error: ImageError) -> ThumbnailError {
    let is_late =
        matches!(&error, ImageError::IoError(io) if io.kind() == std::io::ErrorKind::TimedOut);
    match error {
        ImageError::Limits(_) => ThumbnailError::TooLarge(error),
        _ if is_late => ThumbnailError::TooLarge(error),
        _ => ThumbnailError::Damaged(error),
    }
}

/// Refuses to be read after a deadline.
struct TimedSource<S> {
    source: S,
    deadline: Instant,
}

impl<S> TimedSource<S> {
    fn new(source: S) -> Self {
        Self {
            source,
            deadline: Instant::now() + MAX_READING,
        }
    }

    fn check(&self) -> std::io::Result<()> {
        if Instant::now() < self.deadline {
            Ok(())
        } else {
            Err(std::io::ErrorKind::TimedOut.into())
        }
    }
}

impl<S: Read> Read for TimedSource<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.check()?;
        self.source.read(buffer)
    }
}

impl<S: BufRead> BufRead for TimedSource<S> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.check()?;
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.source.consume(amount);
    }
}

impl<S: Seek> Seek for TimedSource<S> {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.source.seek(position)
    }
}

#[cfg(test)]
mod tests;
