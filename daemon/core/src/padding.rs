//! Padding (D6): a text, a receipt and a typing note of ordinary size look alike.

use connect_proto::routes::MAX_PADDED;
use zeroize::Zeroizing;

const SMALLEST: usize = 512;
const STEP: usize = 8 << 10;
const MARK: u8 = 0x80;

/// More than fits into a box; longer content is an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content is longer than a box takes")]
pub struct TooLong;

/// The padding is not what `pad` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the padding is malformed")]
pub struct BadPadding;

/// 512·2^k up to 8 KiB, then multiples of 8 KiB, at most 64 KiB.
fn padded_len(len: usize) -> Result<usize, TooLong> {
    let needed = len + 1;
    let padded = if needed <= STEP {
        needed.next_power_of_two().max(SMALLEST)
    } else {
        needed.div_ceil(STEP) * STEP
    };
    if padded > MAX_PADDED {
        return Err(TooLong);
    }
    Ok(padded)
}

fn is_padded_len(len: usize) -> bool {
    let small = len.is_power_of_two() && (SMALLEST..=STEP).contains(&len);
    let large = len.is_multiple_of(STEP) && (STEP..=MAX_PADDED).contains(&len);
    small || large
}

pub fn pad(content: &[u8]) -> Result<Zeroizing<Vec<u8>>, TooLong> {
    let len = padded_len(content.len())?;
    let mut padded = Zeroizing::new(Vec::with_capacity(len));
    padded.extend_from_slice(content);
    padded.push(MARK);
    padded.resize(len, 0);
    Ok(padded)
}

pub fn unpad(padded: &[u8]) -> Result<&[u8], BadPadding> {
    if !is_padded_len(padded.len()) {
        return Err(BadPadding);
    }
    let end = padded
        .iter()
        .rposition(|byte| *byte != 0)
        .ok_or(BadPadding)?;
    if padded[end] != MARK {
        return Err(BadPadding);
    }
    Ok(&padded[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_fall_into_few_classes() {
        for (content, padded) in [
            (0, 512),
            (511, 512),
            (512, 1024),
            (1023, 1024),
            (8191, 8192),
            (8192, 16384),
            (16383, 16384),
            (65535, 65536),
        ] {
            assert_eq!(padded_len(content), Ok(padded));
        }
        assert_eq!(padded_len(65536), Err(TooLong));
    }

    #[test]
    fn malformed_padding_is_refused() {
        assert_eq!(unpad(&[0; 512]), Err(BadPadding));
        assert_eq!(unpad(&[1; 512]), Err(BadPadding));
        assert_eq!(unpad(&[]), Err(BadPadding));
        assert_eq!(unpad(&[0x80; 500]), Err(BadPadding));
        let mut large = vec![0; 12 << 10];
        large[0] = MARK;
        assert_eq!(unpad(&large), Err(BadPadding));
    }

    proptest! {
        #[test]
        fn what_was_padded_unpads(content in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let padded = pad(&content).unwrap();
            prop_assert!(is_padded_len(padded.len()));
            prop_assert_eq!(unpad(&padded), Ok(content.as_slice()));
        }

        #[test]
        fn unpadding_anything_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
            let _ = unpad(&bytes);
        }
    }
}
