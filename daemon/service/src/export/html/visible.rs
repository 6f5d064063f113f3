//! Text as a page can show it: what has no picture of its own gets one.

use std::borrow::Cow;

/// Control characters as their pictures, tab and line ends as they are. Whoever needs the bytes takes the other form.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| picture(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(picture).collect())
}

fn picture(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(
            visible("Kalium 6,1\n\tBett\u{a0}4 🩺"),
            "Kalium 6,1\n\tBett\u{a0}4 🩺"
        );
        assert_eq!(visible("a\0b\x1b[2J\x7f\u{85}"), "a␀b␛[2J␡\u{fffd}");
    }
}
