//! What is read from a file or from standard input instead of the command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;

/// Longer than every line that the daemon takes.
const LONGEST: u64 = 1024 * 1024;

/// All of it; `-` is standard input. It is wiped when dropped, since it may be a secret.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let read = if path.as_os_str() == "-" {
        read_all(io::stdin().lock())
    } else {
        File::open(path).and_then(read_all)
    };
    let bytes = read.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    if bytes.len() as u64 > LONGEST {
        return Err(Error::Data("the input is too long"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::Data("the input is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Without the line break that editors and `echo` put at the end.
pub(crate) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

fn read_all(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Secrets fit, so that growing leaves no copy of one behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    source.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_goes_and_no_more() {
        assert_eq!(without_line_end("a\n\n"), "a\n");
        assert_eq!(without_line_end("a\r\n"), "a");
        assert_eq!(without_line_end(" a "), " a ");
    }
}
