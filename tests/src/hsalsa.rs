//! HSalsa20, written here from "Cryptography in NaCl": what turns an X25519 result into a crypto_box key.

/// `crypto_box_beforenm` of a raw X25519 result: HSalsa20 of sixteen zero bytes.
///
/// Published X25519 vectors give that result, which core never shows: it shows only boxes under the key made of it.
pub fn beforenm(x25519_result: &[u8; 32]) -> [u8; 32] {
    hsalsa20(x25519_result, &[0; 16])
}

fn hsalsa20(key: &[u8; 32], input: &[u8; 16]) -> [u8; 32] {
    let constant = words::<4>(b"expand 32-byte k");
    let key = words::<8>(key);
    let input = words::<4>(input);
    let mut x = [
        constant[0],
        key[0],
        key[1],
        key[2],
        key[3],
        constant[1],
        input[0],
        input[1],
        input[2],
        input[3],
        constant[2],
        key[4],
        key[5],
        key[6],
        key[7],
        constant[3],
    ];
    for _ in 0..10 {
        for [a, b, c, d] in COLUMNS.into_iter().chain(ROWS) {
            x[b] ^= x[a].wrapping_add(x[d]).rotate_left(7);
            x[c] ^= x[b].wrapping_add(x[a]).rotate_left(9);
            x[d] ^= x[c].wrapping_add(x[b]).rotate_left(13);
            x[a] ^= x[d].wrapping_add(x[c]).rotate_left(18);
        }
    }
    let mut output = [0; 32];
    for (place, word) in output.chunks_exact_mut(4).zip(OUTPUT) {
        place.copy_from_slice(&x[word].to_le_bytes());
    }
    output
}

const COLUMNS: [[usize; 4]; 4] = [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]];
const ROWS: [[usize; 4]; 4] = [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]];
/// The diagonal and the input's places: what the caller could have undone is left out.
const OUTPUT: [usize; 8] = [0, 5, 10, 15, 6, 7, 8, 9];

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    words
}
