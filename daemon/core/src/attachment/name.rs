//! A file name that is safe to show and to save under, made of whatever a sender gave.

/// Longest name that is made, in bytes: file systems take 255.
const LONGEST: usize = 200;
/// Longest ending that survives a cut, in bytes.
const LONGEST_ENDING: usize = 16;
/// What a name becomes of which nothing is left.
pub const NAMELESS: &str = "attachment";

/// Names that Windows gives to devices, with any ending.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul"];

/// The last part of what looks like a path, without characters that hide, reorder or mean something to a shell's or a
/// system's path; never empty, never hidden, never longer than 200 bytes.
pub fn for_display(original: &str) -> String {
    let last = original.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter_map(shown).collect();
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || c == '.');
    let short = shortened(clean);
    if short.is_empty() {
        return NAMELESS.to_owned();
    }
    if is_device(&short) || short.starts_with('-') {
        return format!("_{short}");
    }
    short
}

/// None where a character is better not there.
fn shown(c: char) -> Option<char> {
    match c {
        ':' | '*' | '?' | '"' | '<' | '>' | '|' => Some('_'),
        _ if is_hiding(c) => None,
        _ if c.is_whitespace() => Some(' '),
        _ => Some(c),
    }
}

/// Whether a character changes how those beside it are read, or cannot be seen: controls, direction, widths of nothing,
/// variation selectors and tags.
pub fn is_hiding(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n'))
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Cut in front of its ending.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() > LONGEST_ENDING {
        ""
    } else {
        ending
    };
    let mut end = LONGEST - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", name[..end].trim_end())
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_lowercase();
    let is_port = |port: &str| {
        stem.strip_prefix(port)
            .is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    DEVICES.contains(&stem.as_str()) || is_port("com") || is_port("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_name_and_no_path() {
        for (original, safe) in [
            ("scan.pdf", "scan.pdf"),
            ("../../x", "x"),
            ("/etc/passwd", "passwd"),
            ("..\\..\\x.exe", "x.exe"),
            ("C:\\films\\knee 1.dcm", "knee 1.dcm"),
            ("", NAMELESS),
            (".", NAMELESS),
            ("..", NAMELESS),
            ("a/..", NAMELESS),
            ("a/", NAMELESS),
            (".bashrc", "bashrc"),
            ("  x  ", "x"),
            ("\u{202E}fdp.exe", "fdp.exe"),
            ("a\u{0000}b\u{001b}[31m\u{200B}c", "ab[31mc"),
            ("a\nb\tc", "a b c"),
            ("a:b*?\"<>|", "a_b______"),
            ("NUL.txt", "_NUL.txt"),
            ("com1", "_com1"),
            ("common", "common"),
            ("-rf", "_-rf"),
            ("Röntgenbild Knie.png", "Röntgenbild Knie.png"),
        ] {
            assert_eq!(for_display(original), safe, "{original:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = for_display(&format!("{}.jpeg", "ä".repeat(500)));
        assert!(name.len() <= LONGEST, "{}", name.len());
        assert!(name.ends_with("ä.jpeg"));
        let name = for_display(&format!("a.{}", "b".repeat(500)));
        assert_eq!(name.len(), LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_safe(original in "\\PC{0,300}|[./\\\\ ]{0,20}|(?s).{0,80}") {
            let name = for_display(&original);
            assert!(!name.is_empty() && name.len() <= LONGEST + 1);
            assert!(!name.contains(['/', '\\', '\0', '\n']) && !name.chars().any(is_hiding));
            assert!(!name.starts_with(['.', '-', ' ']));
        }
    }
}
