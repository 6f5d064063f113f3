//! The words of a text as the index sees them: without case and diacritics, as FTS5's `unicode61` does it.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A word, and which bytes of the text it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) folded: String,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Letters and digits make words; accents over them belong to the word and do not count; all else separates.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut open: Option<Word> = None;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match &mut open {
            Some(word) if is_letter(c) => {
                fold(c, &mut word.folded);
                word.end = end;
            }
            Some(word) if is_accent(c) => word.end = end,
            Some(_) => found.extend(open.take()),
            None if is_letter(c) => {
                let mut folded = String::new();
                fold(c, &mut folded);
                let start = at;
                open = Some(Word { folded, start, end });
            }
            None => {}
        }
    }
    found.extend(open);
    found
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_combining_mark(c)
}

fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Accents count on letters that are not Latin: `unicode61` takes them for other letters.
fn fold(c: char, into: &mut String) {
    match std::iter::once(c).nfd().next() {
        Some(bare) if bare.is_ascii() => into.push(bare.to_ascii_lowercase()),
        _ => into.extend(c.to_lowercase().map(same)),
    }
}

/// Letters that are told apart by their place or origin only.
fn same(c: char) -> char {
    match c {
        'ς' => 'σ',
        'µ' => 'μ',
        'ſ' | 'ẛ' => 's',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    #[test]
    fn case_and_accents_do_not_count() {
        assert_eq!(folded("MÜLLER Muller mu\u{308}ller"), ["muller"; 3]);
        assert_eq!(folded("Ça é naïve Åse"), ["ca", "e", "naive", "ase"]);
        assert_eq!(folded("Straße Ελλάς"), ["straße", "ελλάσ"]);
    }

    #[test]
    fn what_is_no_letter_separates() {
        assert_eq!(
            folded("K+ 6.1, follow-up (bed_4)"),
            ["k", "6", "1", "follow", "up", "bed", "4"]
        );
        assert!(folded(" … \u{301} *\"").is_empty());
    }

    #[test]
    fn a_word_tells_where_it_stands() {
        let text = "«Mu\u{308}ller»";
        let found = words(text);
        assert_eq!(&text[found[0].start..found[0].end], "Mu\u{308}ller");
    }
}
