use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{Frame, GenericImageView, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

/// Red above, blue below.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |_, y| {
        Rgb(if y < height / 2 {
            [255, 0, 0]
        } else {
            [0, 0, 255]
        })
    })
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, format)
        .expect("the picture is encoded");
    bytes.into_inner()
}

fn thumbnail(media_type: MediaType, bytes: &[u8]) -> DynamicImage {
    let webp = make_thumbnail(media_type, Cursor::new(bytes)).expect("a thumbnail");
    image::load_from_memory_with_format(&webp, ImageFormat::WebP).expect("it is WebP")
}

fn is_red(pixel: Rgba<u8>) -> bool {
    pixel.0[0] > 200 && pixel.0[2] < 60
}

/// A JPEG with this orientation (EXIF 2.3, tag 0x0112).
fn turned_jpeg(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new(&mut bytes)
        .encode_image(picture)
        .expect("the picture is encoded");
    let tiff = [
        b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(),
        &[orientation],
        b"\0\0\0\0\0\0",
    ]
    .concat();
    let payload = [b"Exif\0\0".as_slice(), &tiff].concat();
    let length = u16::try_from(payload.len() + 2).expect("a short segment");
    let segment = [b"\xff\xe1".as_slice(), &length.to_be_bytes(), &payload].concat();
    bytes.splice(2..2, segment);
    bytes
}

#[test]
fn large_pictures_become_small_and_keep_their_proportions() {
    let picture = DynamicImage::from(flag(1600, 800));
    for (media_type, format) in [
        (MediaType::Png, ImageFormat::Png),
        (MediaType::Jpeg, ImageFormat::Jpeg),
        (MediaType::Gif, ImageFormat::Gif),
        (MediaType::Webp, ImageFormat::WebP),
    ] {
        let source = match format {
            // The encoder wants an alpha channel.
            ImageFormat::Gif => picture.to_rgba8().into(),
            _ => picture.clone(),
        };
        let small = thumbnail(media_type, &encoded(&source, format));
        assert_eq!(small.dimensions(), (512, 256), "{media_type:?}");
        assert!(is_red(small.get_pixel(256, 20)), "{media_type:?}");
        assert!(!is_red(small.get_pixel(256, 236)), "{media_type:?}");
    }
}

#[test]
fn small_pictures_keep_their_size() {
    let png = encoded(&flag(30, 20).into(), ImageFormat::Png);
    assert_eq!(thumbnail(MediaType::Png, &png).dimensions(), (30, 20));
    let png = encoded(&flag(4000, 1).into(), ImageFormat::Png);
    assert_eq!(thumbnail(MediaType::Png, &png).dimensions(), (512, 1));
}

#[test]
fn pictures_stand_upright() {
    // 6: the camera was turned, the picture has to be turned right by a quarter.
    let small = thumbnail(MediaType::Jpeg, &turned_jpeg(&flag(1000, 500), 6));
    assert_eq!(small.dimensions(), (256, 512));
    assert!(is_red(small.get_pixel(240, 256)) && !is_red(small.get_pixel(15, 256)));
    // 3: upside down.
    let small = thumbnail(MediaType::Jpeg, &turned_jpeg(&flag(100, 50), 3));
    assert!(is_red(small.get_pixel(50, 45)) && !is_red(small.get_pixel(50, 5)));
}

#[test]
fn transparency_is_kept() {
    let picture = RgbaImage::from_pixel(600, 600, Rgba([0, 255, 0, 0]));
    let small = thumbnail(MediaType::Png, &encoded(&picture.into(), ImageFormat::Png));
    assert_eq!(small.get_pixel(10, 10).0[3], 0);
}

#[test]
fn an_animation_shows_its_first_frame() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for color in [Rgba([255, 0, 0, 255]), Rgba([0, 0, 255, 255])] {
        let frame = Frame::new(RgbaImage::from_pixel(40, 40, color));
        encoder.encode_frame(frame).expect("the frame is encoded");
    }
    drop(encoder);
    let small = thumbnail(MediaType::Gif, &bytes);
    assert!(is_red(small.get_pixel(20, 20)));
}

#[test]
fn a_bomb_is_refused_before_it_is_decoded() {
    // A header of 16,000 × 16,000 pixels in a file of a few hundred bytes.
    let mut png = encoded(&flag(30, 20).into(), ImageFormat::Png);
    png[16..20].copy_from_slice(&16_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&16_000_u32.to_be_bytes());
    // The checksum of the header has to be right for it to be believed.
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = make_thumbnail(MediaType::Png, Cursor::new(png)).expect_err("too large");
    assert!(matches!(error, ThumbnailError::TooLarge(_)), "{error:?}");
}

/// CRC-32 as in PNG (annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn other_types_have_none() {
    let error = make_thumbnail(MediaType::Svg, Cursor::new(b"<svg/>")).expect_err("no picture");
    assert!(matches!(error, ThumbnailError::Unsupported(MediaType::Svg)));
    let error = make_thumbnail(MediaType::Png, Cursor::new(b"")).expect_err("empty");
    assert!(matches!(error, ThumbnailError::Damaged(_)));
}

#[test]
fn reading_ends_at_the_deadline() {
    let mut source = TimedSource::new(Cursor::new(b"abc"));
    source.deadline = Instant::now();
    let error = source.read(&mut [0; 3]).expect_err("too late");
    assert!(matches!(
        classify(ImageError::IoError(error)),
        ThumbnailError::TooLarge(_)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_pictures_do_not_panic(
        which in 0..4_usize,
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        end in any::<prop::sample::Index>(),
    ) {
        let (media_type, format) = [
            (MediaType::Png, ImageFormat::Png),
            (MediaType::Jpeg, ImageFormat::Jpeg),
            (MediaType::Gif, ImageFormat::Gif),
            (MediaType::Webp, ImageFormat::WebP),
        ][which];
        let mut bytes = encoded(&DynamicImage::from(flag(40, 30)).to_rgb8().into(), match format {
            ImageFormat::Gif => ImageFormat::Png,
            other => other,
        });
        let position = at.index(bytes.len());
        bytes[position] = with;
        bytes.truncate(end.index(bytes.len()).max(20));
        let _ = make_thumbnail(media_type, Cursor::new(bytes));
    }
}
