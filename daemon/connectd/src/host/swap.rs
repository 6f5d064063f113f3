//! Where this host swaps to.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    None,
    /// dm-crypt, or compressed memory.
    Encrypted,
    /// Not known to be encrypted.
    Plain,
}

pub fn swap() -> Swap {
    match fs::read_to_string("/proc/swaps") {
        Ok(list) => kind(&list, is_encrypted),
        // A kernel without swap has no list.
        Err(error) if error.kind() == ErrorKind::NotFound => Swap::None,
        Err(_) => Swap::Plain,
    }
}

/// The first line of the list is its heading.
fn kind(list: &str, is_encrypted: impl Fn(&str) -> bool) -> Swap {
    let mut devices = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .peekable();
    if devices.peek().is_none() {
        Swap::None
    } else if devices.all(is_encrypted) {
        Swap::Encrypted
    } else {
        Swap::Plain
    }
}

/// A file is as encrypted as what it lies on, which is not looked into.
fn is_encrypted(device: &str) -> bool {
    let Ok(device) = fs::canonicalize(device) else {
        return false;
    };
    let Some(name) = device.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    if !device.starts_with("/dev") {
        return false;
    }
    let about = Path::new("/sys/class/block").join(name);
    if name.starts_with("zram") {
        // With a backing device it writes pages out as they are.
        let backing = fs::read_to_string(about.join("backing_dev"));
        return backing.map_or(true, |device| device.trim() == "none");
    }
    fs::read_to_string(about.join("dm/uuid")).is_ok_and(|uuid| uuid.starts_with("CRYPT-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "Filename Type Size Used Priority\n";

    #[test]
    fn one_device_in_the_open_is_enough() {
        let told = |devices: &str| kind(&format!("{HEADING}{devices}"), |d| d == "/dev/dm-1");
        assert_eq!(told(""), Swap::None);
        assert_eq!(told("/dev/dm-1 partition 9 0 -2\n"), Swap::Encrypted);
        assert_eq!(
            told("/dev/dm-1 partition 9 0 -2\n/swapfile file 9 0 -3\n"),
            Swap::Plain
        );
    }

    #[test]
    fn what_is_not_known_counts_as_open() {
        assert!(!is_encrypted("/swapfile"));
        assert!(!is_encrypted("/dev/null"));
    }
}
