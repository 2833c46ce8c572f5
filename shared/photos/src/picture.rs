//! From what was uploaded to what is shown: JPEG, PNG or WebP in, three JPEGs out.
//!
//! Hostile bytes are expected: what they are is seen by themselves, limits are set before anything
//! is decoded, and nothing but pixels comes through: no position, no camera, no hidden file.
//! A colour profile is not applied; wide colours come out a little paler. No I/O.

use std::io::Cursor;

use bytes::Bytes;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    RgbImage, codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};

use crate::id::PhotoId;

/// What is uploaded has at most so many bytes.
pub const UPLOAD_BYTES_MAX: usize = 10 << 20;
/// A side of it has at most so many pixels.
pub const SIDE_PX_MAX: u32 = 8_000;
/// All of it has at most so many pixels.
pub const PIXELS_MAX: u64 = 40_000_000;
/// Decoded it has at most so many bytes: 40 million pixels of four bytes, and some room.
const DECODED_BYTES_MAX: u64 = 200 << 20;

/// The longer side of each size.
const FULL_PX_MAX: u32 = 1_600;
const MEDIUM_PX_MAX: u32 = 1_280;
const THUMB_PX_MAX: u32 = 320;
/// What providers take as an upload: Zalo at most 1 MB.
pub const MEDIUM_BYTES_MAX: usize = 1_000_000;

const QUALITY: u8 = 85;
/// Tried in turn until the medium size has few enough bytes.
const MEDIUM_TRIES: [(u32, u8); 5] =
    [(MEDIUM_PX_MAX, QUALITY), (MEDIUM_PX_MAX, 70), (MEDIUM_PX_MAX, 50), (960, 50), (640, 50)];

const SHOWN_WHITE: u32 = 255;

/// Why something is no picture that can be taken. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPicture {
    /// By its first bytes it is something else, whatever it is called.
    #[error("phải là ảnh JPEG, PNG hoặc WebP / must be a JPEG, PNG or WebP picture")]
    OtherFormat,
    /// Too many bytes.
    #[error("ảnh tối đa 10 MiB / a picture has at most 10 MiB")]
    TooManyBytes,
    /// Too many pixels, or bytes of colour.
    #[error(
        "ảnh quá lớn: mỗi cạnh tối đa 8.000, tổng 40 triệu điểm / \
         too large: at most 8,000 pixels a side and 40 million in all"
    )]
    TooManyPixels,
    /// It ends early, or cannot be read.
    #[error("ảnh bị hỏng hoặc bị cắt ngang / the picture is damaged, or ends early")]
    Broken,
}

/// A size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// At most 1,600 pixels a side.
    Full,
    /// At most 1,280 pixels a side and a million bytes, for channels that upload.
    Medium,
    /// At most 320 pixels a side.
    Thumb,
}

impl Size {
    /// All sizes.
    pub const ALL: [Self; 3] = [Self::Full, Self::Medium, Self::Thumb];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Medium => "medium",
            Self::Thumb => "thumb",
        }
    }

    /// The size of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.as_str() == word)
    }
}

/// A picture, drawn anew. Each size is a JPEG without metadata, upright, on white where it was
/// transparent.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its id: SHA-256 of the full size.
    pub id: PhotoId,
    /// Pixels of the full size.
    pub width: u32,
    /// Pixels of the full size.
    pub height: u32,
    full: Bytes,
    medium: Bytes,
    thumb: Bytes,
}

impl Picture {
    /// Draws anew what was uploaded. Takes a processor for up to some seconds, and a few hundred
    /// megabytes: not on a thread that answers.
    ///
    /// # Errors
    /// [`NotAPicture`]: whoever uploads it must send another.
    pub fn of(uploaded: &[u8]) -> Result<Self, NotAPicture> {
        let (decoded, orientation) = decode(uploaded)?;
        let mut upright = DynamicImage::ImageRgb8(shrunk(on_white(decoded), FULL_PX_MAX));
        upright.apply_orientation(orientation);
        let image = upright.into_rgb8();
        let full = jpeg(&image, QUALITY)?;
        let medium = medium(&image)?;
        let thumb = jpeg(&shrunk(DynamicImage::ImageRgb8(image.clone()), THUMB_PX_MAX), QUALITY)?;
        let (width, height) = image.dimensions();
        Ok(Self { id: PhotoId::of(&full), width, height, full, medium, thumb })
    }

    /// The JPEG of a size.
    #[must_use]
    pub fn jpeg(&self, size: Size) -> &Bytes {
        match size {
            Size::Full => &self.full,
            Size::Medium => &self.medium,
            Size::Thumb => &self.thumb,
        }
    }
}

/// The pixels as they were stored, and how they are turned upright.
fn decode(uploaded: &[u8]) -> Result<(DynamicImage, Orientation), NotAPicture> {
    if uploaded.len() > UPLOAD_BYTES_MAX {
        return Err(NotAPicture::TooManyBytes);
    }
    let format = image::guess_format(uploaded).map_err(|_| NotAPicture::OtherFormat)?;
    match format {
        ImageFormat::Png | ImageFormat::WebP => {}
        // The decoder takes half a JPEG, and paints the rest grey.
        ImageFormat::Jpeg if ends(uploaded) => {}
        ImageFormat::Jpeg => return Err(NotAPicture::Broken),
        _ => return Err(NotAPicture::OtherFormat),
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_PX_MAX);
    limits.max_image_height = Some(SIDE_PX_MAX);
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(uploaded), format);
    reader.limits(limits);
    // This reads the header alone.
    let mut decoder = reader.into_decoder().map_err(|why| not_decoded(&why))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS_MAX || decoder.total_bytes() > DECODED_BYTES_MAX {
        return Err(NotAPicture::TooManyPixels);
    }
    if pixels == 0 {
        return Err(NotAPicture::Broken);
    }
    // Metadata that cannot be read turn nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|why| not_decoded(&why))?;
    Ok((image, orientation))
}

fn not_decoded(why: &ImageError) -> NotAPicture {
    match why {
        ImageError::Limits(_) => NotAPicture::TooManyPixels,
        _ => NotAPicture::Broken,
    }
}

/// Whether a JPEG has an end behind the beginning of its pixels (ITU T.81, B.1.1.2 and B.1.1.5).
/// What follows that end, as the film that some telephones append, is left out by the decoder.
fn ends(jpeg: &[u8]) -> bool {
    const BEGINS: u8 = 0xd8;
    const ENDS: u8 = 0xd9;
    const PIXELS: u8 = 0xda;
    let mut rest = jpeg;
    // Segments with a length, among them the metadata, which may hold a whole JPEG of its own.
    loop {
        match rest {
            [0xff, 0xff, ..] => rest = rest.get(1..).unwrap_or_default(),
            [0xff, BEGINS | 0x01 | 0xd0..=0xd7, after @ ..] => rest = after,
            [0xff, ENDS, ..] => return false,
            [0xff, PIXELS, after @ ..] => {
                return after.windows(2).any(|pair| pair == [0xff, ENDS]);
            }
            [0xff, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length..).unwrap_or_default();
            }
            // What stands between segments the decoder skips, and so does this.
            [_, after @ ..] if after.len() > 1 => rest = after,
            _ => return false,
        }
    }
}

/// White where it is transparent: a JPEG has no such thing, and black would be seen.
fn on_white(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let mut image = image.into_rgba8();
    for pixel in image.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let alpha = u32::from(alpha);
        let over = |colour: u8| {
            let mixed = u32::from(colour) * alpha + SHOWN_WHITE * (SHOWN_WHITE - alpha);
            u8::try_from(mixed / SHOWN_WHITE).unwrap_or(u8::MAX)
        };
        pixel.0 = [over(red), over(green), over(blue), u8::MAX];
    }
    DynamicImage::ImageRgba8(image)
}

/// At most so many pixels a side; never larger than it was. First to twice that by plain means,
/// which need little memory, then finely.
fn shrunk(image: DynamicImage, side_px_max: u32) -> RgbImage {
    let longer = |image: &DynamicImage| image.width().max(image.height());
    let twice = side_px_max * 2;
    let image = match longer(&image) > twice {
        true => image.thumbnail(twice, twice),
        false => image,
    };
    let image = DynamicImage::ImageRgb8(image.into_rgb8());
    if longer(&image) <= side_px_max {
        return image.into_rgb8();
    }
    image.resize(side_px_max, side_px_max, FilterType::CatmullRom).into_rgb8()
}

fn medium(image: &RgbImage) -> Result<Bytes, NotAPicture> {
    for (side_px_max, quality) in MEDIUM_TRIES {
        let image = shrunk(DynamicImage::ImageRgb8(image.clone()), side_px_max);
        let jpeg = jpeg(&image, quality)?;
        if jpeg.len() <= MEDIUM_BYTES_MAX {
            return Ok(jpeg);
        }
    }
    Err(NotAPicture::TooManyBytes)
}

fn jpeg(image: &RgbImage, quality: u8) -> Result<Bytes, NotAPicture> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|_| NotAPicture::Broken)?;
    Ok(bytes.into())
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
