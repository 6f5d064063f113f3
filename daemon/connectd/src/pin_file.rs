//! A PIN or passphrase that lies in a file, or comes in by standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// Longer than any passphrase.
const LONGEST: usize = 4096;

/// Without the line break at its end. `-` is standard input.
pub fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    if path.as_os_str() == "-" {
        return read_from(io::stdin().lock());
    }
    read_from(File::open(path)?)
}

/// Whatever is longer would not be what was chosen.
fn read_from(source: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    let limit = u64::try_from(LONGEST + 1).expect("a small number");
    source.take(limit).read_to_string(&mut text)?;
    if text.len() > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_last_line_break_is_no_part_of_it_and_nothing_is_cut() {
        for content in ["12 345", "12 345\n", "12 345\r\n"] {
            assert_eq!(*read_from(content.as_bytes()).unwrap(), "12 345");
        }
        let long = [b'x'; LONGEST + 1];
        let refused = read_from(long.as_slice()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert!(read_from(b"\xff".as_slice()).is_err());
    }
}
