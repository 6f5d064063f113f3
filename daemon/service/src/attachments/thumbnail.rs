//! Small pictures of images, within bounds: what would take too much room to decode has none.

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use connect_core::attachment::{CHUNK, MAX_THUMBNAIL, SEALED_CHUNK, open_chunk, sealed_chunk_len};
use connect_core::secret::AttachmentKey;
use connect_store::files::Kept;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Pixels on either side of an image that is looked at.
const MOST_PIXELS: u32 = 16_384;
/// Bytes that decoding may take: some 40 million pixels.
const MOST_BYTES: u64 = 128 << 20;
/// A decoder may read all of a file before it looks at its limits.
const MOST_FILE: u64 = 32 << 20;
/// Longer sides and qualities that are tried until it is small enough.
const TRIES: [(u32, u8); 4] = [(320, 75), (256, 60), (192, 50), (96, 40)];

/// Bytes of a JPEG of at most 16 KiB, or none where it is no image, or not one that is decoded here.
pub(super) async fn of(
    turn: Arc<Semaphore>,
    file: Kept,
    key: Arc<AttachmentKey>,
    size: u64,
) -> Vec<u8> {
    if size > MOST_FILE {
        return Vec::new();
    }
    let Ok(_turn) = turn.acquire_owned().await else {
        return Vec::new();
    };
    let plain = Plain::new(file, key, size);
    let made = tokio::task::spawn_blocking(move || make(BufReader::new(plain)));
    made.await.ok().flatten().unwrap_or_default()
}

/// PNG and JPEG, by their first bytes and not by what somebody says.
fn make(plain: impl BufRead + Seek) -> Option<Vec<u8>> {
    let mut reader = ImageReader::new(plain).with_guessed_format().ok()?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return None;
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let image = reader.decode().ok()?;
    TRIES.into_iter().find_map(|(side, quality)| {
        let small = image.thumbnail(side, side);
        encode(&small, quality).filter(|bytes| bytes.len() <= MAX_THUMBNAIL)
    })
}

fn encode(image: &DynamicImage, quality: u8) -> Option<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let rgb = DynamicImage::ImageRgb8(image.to_rgb8());
    rgb.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .ok()?;
    Some(bytes.into_inner())
}

/// The plaintext of what lies here as ciphertext, a chunk of it in memory at a time.
struct Plain {
    file: Kept,
    key: Arc<AttachmentKey>,
    size: u64,
    at: u64,
    open: Option<(u32, Zeroizing<Vec<u8>>)>,
}

impl Plain {
    fn new(file: Kept, key: Arc<AttachmentKey>, size: u64) -> Self {
        Self {
            file,
            key,
            size,
            at: 0,
            open: None,
        }
    }
}

impl Read for Plain {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size {
            return Ok(0);
        }
        let index = u32::try_from(self.at / CHUNK as u64 + 1).map_err(io::Error::other)?;
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            let len = sealed_chunk_len(self.size, index).ok_or(io::ErrorKind::InvalidInput)?;
            let sealed = self
                .file
                .read_at(u64::from(index - 1) * SEALED_CHUNK as u64, len)?;
            let opened = open_chunk(&self.key, index, &sealed).map_err(io::Error::other)?;
            self.open = Some((index, opened));
        }
        let Some((_, chunk)) = &self.open else {
            return Ok(0);
        };
        let from = usize::try_from(self.at % CHUNK as u64).map_err(io::Error::other)?;
        let count = into.len().min(chunk.len() - from);
        into[..count].copy_from_slice(&chunk[from..from + count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Plain {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageEncoder as _, RgbImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x, y, x ^ y].map(|n| n.to_le_bytes()[0]))
        });
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(image)
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn an_image_becomes_a_small_one() {
        let small = make(Cursor::new(png(700, 400))).unwrap();
        assert!(small.len() <= MAX_THUMBNAIL);
        let image = image::load_from_memory_with_format(&small, ImageFormat::Jpeg).unwrap();
        assert!(image.width() <= 320 && image.width() > image.height());
    }

    #[test]
    fn what_is_no_image_or_half_of_one_has_none() {
        assert_eq!(make(Cursor::new(b"%PDF-1.7".to_vec())), None);
        assert_eq!(make(Cursor::new(Vec::new())), None);
        let whole = png(300, 300);
        assert_eq!(make(Cursor::new(whole[..whole.len() / 2].to_vec())), None);
    }

    /// A few hundred bytes that would be gigabytes: told by its header, and nothing is set aside.
    #[test]
    fn an_image_bomb_has_none() {
        let mut bomb = Vec::new();
        let side = 60_000;
        let encoder = image::codecs::png::PngEncoder::new(&mut bomb);
        let one = vec![0; 3];
        encoder
            .write_image(&one, 1, 1, image::ExtendedColorType::Rgb8)
            .unwrap();
        // The header's size and its checksum: those of the PNG itself are looked at later than its size.
        for (width, height) in [(side, side), (MOST_PIXELS, MOST_PIXELS)] {
            let mut header = b"IHDR".to_vec();
            header.extend_from_slice(&u32::to_be_bytes(width));
            header.extend_from_slice(&u32::to_be_bytes(height));
            header.extend_from_slice(&bomb[24..29]);
            let mut bytes = bomb.clone();
            bytes[12..29].copy_from_slice(&header);
            bytes[29..33].copy_from_slice(&crc(&header).to_be_bytes());
            assert_eq!(make(Cursor::new(bytes)), None, "{width}");
        }
    }

    /// PNG's checksum.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
            })
        })
    }
}
