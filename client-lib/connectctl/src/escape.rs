//! What other people wrote, made harmless for a terminal: it could move the cursor, retitle the window, or make a name
//! read backwards.

use std::fmt::Write;

/// On one line: line breaks are shown too.
pub(crate) fn line(text: &str) -> String {
    escape(text, |_| false)
}

/// On as many lines as it has.
pub(crate) fn lines(text: &str) -> String {
    escape(&text.replace("\r\n", "\n").replace('\t', "    "), |c| {
        c == '\n'
    })
}

/// JSON's own escapes keep its meaning.
pub(crate) fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        // A JSON text has these outside of its strings only, where they are harmless.
        if c == '\n' || !is_harmful(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

fn escape(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if keeps(c) || !is_harmful(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_default());
        }
    }
    safe
}

fn is_harmful(c: char) -> bool {
    // C0, DEL and C1
    c.is_control()
        || matches!(c,
            // line and paragraph separators, and what hides between letters
            '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // bidirectional embeddings, overrides and isolates
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // tags: invisible text
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_drives_it() {
        let attack = "\u{1b}]0;owned\u{7}\u{9b}2J\r\u{7f}\u{8}\u{202e}gnp\u{2066}\u{200b}\u{e0041}";
        for safe in [line(attack), lines(attack), json(attack)] {
            assert!(!safe.chars().any(is_harmful), "{safe}");
        }
        assert!(line(attack).starts_with("\\u{1b}]0;owned"));
    }

    #[test]
    fn letters_of_every_script_stay() {
        let text = "Dr. Müller 医生 שלום 👩‍⚕️ e\u{301}";
        assert_eq!(line(text), text);
    }

    #[test]
    fn line_breaks_stay_only_where_they_may() {
        assert_eq!(lines("a\r\nb\tc"), "a\nb    c");
        assert_eq!(line("a\nb"), "a\\nb");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({"name": "x\u{202e}\u{9b}\u{e0041}\n"});
        let safe = json(&value.to_string());
        assert!(safe.is_ascii());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
    }
}
