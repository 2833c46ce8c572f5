use image::{ImageEncoder, Rgb, Rgba, RgbaImage, codecs::png::PngEncoder};

use super::*;

/// Half red, half blue, so that it can be seen which side is up.
fn sample(width: u32, height: u32) -> DynamicImage {
    let colour = |x| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, _| colour(x)))
}

fn written(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn shown(jpeg: &[u8]) -> RgbImage {
    let read = image::load_from_memory_with_format(jpeg, ImageFormat::Jpeg).unwrap();
    read.into_rgb8()
}

fn is_red(pixel: Rgb<u8>) -> bool {
    pixel.0[0] > 150 && pixel.0[2] < 100
}

fn refused(uploaded: &[u8]) -> NotAPicture {
    match Picture::of(uploaded) {
        Ok(_) => panic!("it is taken"),
        Err(why) => why,
    }
}

/// A TIFF block as cameras write it: orientation, and a position.
fn exif(orientation: u16) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        let mut bytes = [tag.to_be_bytes(), kind.to_be_bytes()].concat();
        bytes.extend(count.to_be_bytes());
        bytes.extend(value);
        bytes
    };
    let [high, low] = orientation.to_be_bytes();
    tiff.extend(2_u16.to_be_bytes());
    tiff.extend(entry(0x0112, 3, 1, [high, low, 0, 0]));
    // The directory of the position lies behind this one.
    tiff.extend(entry(0x8825, 4, 1, 38_u32.to_be_bytes()));
    tiff.extend(0_u32.to_be_bytes());
    tiff.extend(1_u16.to_be_bytes());
    tiff.extend(entry(0x0001, 2, 2, *b"N\0\0\0"));
    tiff.extend(0_u32.to_be_bytes());
    tiff.extend(b"GPS 11.5816 107.4599");
    tiff
}

/// A JPEG with this EXIF block behind its beginning.
fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let length = u16::try_from(2 + 6 + exif.len()).unwrap().to_be_bytes();
    let head: &[u8] = &[0xff, 0xe1];
    let (begins, rest) = jpeg.split_at(2);
    [begins, head, &length, b"Exif\0\0", exif, rest].concat()
}

fn finds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

#[test]
fn three_formats_come_out_as_one() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let picture = Picture::of(&written(&sample(400, 200), format)).unwrap();
        assert_eq!((picture.width, picture.height), (400, 200), "{format:?}");
        for (size, width) in [(Size::Full, 400), (Size::Medium, 400), (Size::Thumb, 320)] {
            let shown = shown(picture.jpeg(size));
            assert_eq!(shown.dimensions(), (width, width / 2), "{format:?} {size:?}");
            assert!(is_red(*shown.get_pixel(10, 80)) && !is_red(*shown.get_pixel(width - 10, 80)));
        }
        assert_eq!(picture.id, PhotoId::of(picture.jpeg(Size::Full)));
        assert_eq!(Picture::of(&written(&sample(400, 200), format)).unwrap().id, picture.id);
    }
}

#[test]
fn a_large_picture_is_made_smaller_and_a_small_one_stays() {
    let large = Picture::of(&written(&sample(4_000, 1_000), ImageFormat::Jpeg)).unwrap();
    let sides = Size::ALL.map(|size| shown(large.jpeg(size)).dimensions());
    assert_eq!(sides, [(1_600, 400), (1_280, 320), (320, 80)]);
    let small = Picture::of(&written(&sample(8, 5), ImageFormat::Png)).unwrap();
    let sides = Size::ALL.map(|size| shown(small.jpeg(size)).dimensions());
    assert_eq!(sides, [(8, 5), (8, 5), (8, 5)]);
    // One pixel high, and as wide as may be.
    let line = Picture::of(&written(&sample(SIDE_PX_MAX, 1), ImageFormat::Png)).unwrap();
    assert_eq!((line.width, line.height), (1_600, 1));
}

#[test]
fn the_medium_size_fits_into_an_upload() {
    // Noise, which no encoder makes small. A simple sequence of Lehmer's.
    let mut seed = 1_u64;
    let mut noise = || {
        seed = seed * 48_271 % 0x7fff_ffff;
        u8::try_from(seed >> 8 & 0xff).unwrap()
    };
    let image = RgbImage::from_fn(1_280, 1_280, |_, _| Rgb([noise(), noise(), noise()]));
    let image = DynamicImage::ImageRgb8(image);
    let picture = Picture::of(&written(&image, ImageFormat::Png)).unwrap();
    assert!(picture.jpeg(Size::Full).len() > MEDIUM_BYTES_MAX);
    assert!(picture.jpeg(Size::Medium).len() <= MEDIUM_BYTES_MAX);
}

#[test]
fn it_is_turned_upright_and_where_it_was_taken_is_gone() {
    let jpeg = written(&sample(64, 32), ImageFormat::Jpeg);
    // Orientation 6: what is stored is to be turned clockwise by a quarter.
    let turned = with_exif(&jpeg, &exif(6));
    assert!(finds(&turned, b"GPS") && finds(&turned, b"Exif"));
    let picture = Picture::of(&turned).unwrap();
    assert_eq!((picture.width, picture.height), (32, 64));
    for size in Size::ALL {
        let bytes = picture.jpeg(size);
        for left in [b"GPS".as_slice(), b"Exif", b"107.4599", &[0xff, 0xe1]] {
            assert!(!finds(bytes, left), "{size:?}: {left:?}");
        }
        let shown = shown(bytes);
        assert!(is_red(*shown.get_pixel(16, 4)) && !is_red(*shown.get_pixel(16, 60)));
    }
    // Metadata that make no sense turn nothing.
    let picture = Picture::of(&with_exif(&jpeg, b"MM\0\x2a\xff\xff\xff\xff")).unwrap();
    assert_eq!((picture.width, picture.height), (64, 32));
}

#[test]
fn what_is_transparent_is_white() {
    let clear = RgbaImage::from_pixel(40, 40, Rgba([0, 0, 0, 0]));
    let clear = written(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
    let picture = Picture::of(&clear).unwrap();
    let shown = shown(picture.jpeg(Size::Full));
    assert!(shown.pixels().all(|pixel| pixel.0.iter().all(|colour| *colour > 250)));
    // Greys of sixteen bits with transparency, as scanners write them.
    let grey = DynamicImage::new_luma_a16(30, 20);
    assert!(Picture::of(&written(&grey, ImageFormat::Png)).is_ok());
}

#[test]
fn what_it_is_called_counts_for_nothing() {
    let gif =
        b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let html = b"<!doctype html><script>alert(1)</script>";
    let tiff = exif(1);
    let bmp = [b"BM".as_slice(), &[0; 60]].concat();
    for other in [gif.as_slice(), svg, html, &tiff, &bmp, b"", b"\xff", b"RIFF\0\0\0\0WAVE"] {
        assert_eq!(refused(other), NotAPicture::OtherFormat);
    }
}

#[test]
fn half_a_picture_is_none() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = written(&sample(600, 400), format);
        // A JPEG may hold another, whole one among its metadata.
        let whole = match format {
            ImageFormat::Jpeg => with_exif(&whole, &written(&sample(8, 8), format)),
            _ => whole,
        };
        Picture::of(&whole).unwrap();
        let middle = whole.len() / 2;
        for length in [16, middle, whole.len() - if format == ImageFormat::Png { 20 } else { 2 }] {
            let half = &whole[..length];
            assert_eq!(refused(half), NotAPicture::Broken, "{format:?}, {length} bytes");
        }
    }
}

/// A PNG whose header promises this size, and nothing behind it.
fn png_header(width: u32, height: u32, depth: u8) -> Vec<u8> {
    let mut small = Vec::new();
    PngEncoder::new(&mut small).write_image(&[0; 3], 1, 1, ExtendedColorType::Rgb8).unwrap();
    let mut header = b"IHDR".to_vec();
    header.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
    // Colour with transparency.
    header.extend([depth, 6, 0, 0, 0]);
    let checksum = crc(&header).to_be_bytes();
    [&small[..12], header.as_slice(), &checksum, &small[33..]].concat()
}

/// CRC-32 of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_anything_is_decoded() {
    for (width, height, depth) in [
        (u32::MAX >> 1, u32::MAX >> 1, 8),
        (SIDE_PX_MAX + 1, 1, 8),
        (1, SIDE_PX_MAX + 1, 8),
        // Each side may be, all of it may not.
        (SIDE_PX_MAX, SIDE_PX_MAX, 8),
        // Few enough pixels, too many bytes of colour.
        (SIDE_PX_MAX, 5_000, 16),
    ] {
        let why = refused(&png_header(width, height, depth));
        assert_eq!(why, NotAPicture::TooManyPixels, "{width} × {height}");
    }
    assert_eq!(refused(&png_header(0, 5, 8)), NotAPicture::Broken);
    // A JPEG may promise 65,535 × 65,535 in a few bytes.
    let mut jpeg = written(&sample(16, 16), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    assert_eq!(refused(&jpeg), NotAPicture::TooManyPixels);
    // So may a WebP without loss, of 16,383 a side: fourteen bits each.
    let mut webp = written(&sample(16, 16), ImageFormat::WebP);
    let frame = webp.windows(5).position(|head| head[..4] == *b"VP8L").unwrap() + 9;
    webp[frame..frame + 4].copy_from_slice(&[0xfe, 0xbf, 0xff, 0x0f]);
    assert_eq!(refused(&webp), NotAPicture::TooManyPixels);
    let many = [written(&sample(16, 16), ImageFormat::Jpeg), vec![0; UPLOAD_BYTES_MAX]].concat();
    assert_eq!(refused(&many), NotAPicture::TooManyBytes);
}

#[test]
fn of_two_files_in_one_the_picture_alone_comes_through() {
    let hidden = b"PK\x03\x04<script>alert(document.cookie)</script>";
    let jpeg = written(&sample(64, 32), ImageFormat::Jpeg);
    let comment_length = u16::try_from(2 + hidden.len()).unwrap().to_be_bytes();
    let head: &[u8] = &[0xff, 0xfe];
    let (begins, rest) = jpeg.split_at(2);
    let both = [begins, head, &comment_length, hidden, rest, hidden].concat();
    let picture = Picture::of(&both).unwrap();
    for size in Size::ALL {
        let bytes = picture.jpeg(size);
        assert!(!finds(bytes, b"script") && !finds(bytes, b"PK\x03\x04"), "{size:?}");
    }
    // Bytes in disorder never bring it down.
    for place in (0..jpeg.len()).step_by(7) {
        let mut damaged = jpeg.clone();
        damaged[place] ^= 0x5a;
        let _ = Picture::of(&damaged);
    }
}
