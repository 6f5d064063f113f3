//! A piece of a text around what was found in it.

/// Characters of a snippet at most, what marks a cut included.
pub const SNIPPET: usize = 160;
/// As much stands before the first match where there is more.
const BEFORE: usize = 40;
const CUT: char = '…';

/// A piece of a text; the matches are characters of it, from and up to.
#[derive(Clone, PartialEq, Eq)]
pub struct Snippet {
    pub text: String,
    pub matches: Vec<(usize, usize)>,
}

impl std::fmt::Debug for Snippet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snippet(..)")
    }
}

/// `matches` are bytes of the text, in their order.
pub(crate) fn cut_out(text: &str, matches: &[(usize, usize)]) -> Snippet {
    let first = matches.first().map_or(0, |(start, _)| *start);
    let start = beginning(text, first);
    let is_cut_before = start > 0;
    let room = SNIPPET - usize::from(is_cut_before);
    let end = ending(&text[start..], room).map(|end| start + end);
    let mut piece = String::new();
    piece.extend(is_cut_before.then_some(CUT));
    piece.push_str(&text[start..end.unwrap_or(text.len())]);
    let shown = start..end.unwrap_or(text.len());
    piece.extend(end.map(|_| CUT));
    let place = |at: usize| usize::from(is_cut_before) + text[start..at].chars().count();
    let matches = matches
        .iter()
        .filter(|(from, _)| *from < shown.end)
        .map(|(from, to)| (place(*from), place((*to).min(shown.end))))
        .collect();
    Snippet {
        text: piece,
        matches,
    }
}

/// Where the piece begins: a little before the match, at a word's beginning where one is near.
fn beginning(text: &str, first: usize) -> usize {
    let before = &text[..first];
    let Some((far, _)) = before.char_indices().rev().nth(BEFORE - 1) else {
        return 0;
    };
    if far == 0 {
        return 0;
    }
    let space = text[far..first].find(char::is_whitespace);
    space.map_or(far, |space| {
        let at = far + space;
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    })
}

/// Where it ends; none where all the rest has room.
fn ending(text: &str, room: usize) -> Option<usize> {
    text.char_indices().nth(room)?;
    let (end, _) = text.char_indices().nth(room - 1)?;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(snippet: &Snippet) -> Vec<String> {
        let chars: Vec<char> = snippet.text.chars().collect();
        let of = |(from, to): &(usize, usize)| chars[*from..*to].iter().collect();
        snippet.matches.iter().map(of).collect()
    }

    fn snippet(text: &str, wanted: &str) -> Snippet {
        let places = text.match_indices(wanted);
        let matches: Vec<_> = places.map(|(at, found)| (at, at + found.len())).collect();
        cut_out(text, &matches)
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let found = snippet("Bett 4: Kalium über 6", "über");
        assert_eq!(found.text, "Bett 4: Kalium über 6");
        assert_eq!(shown(&found), ["über"]);
        assert_eq!(found.matches, [(15, 19)]);
    }

    #[test]
    fn a_long_one_is_cut_on_both_sides() {
        let text = format!("{}nädel {}", "heu über ".repeat(100), "stroh ".repeat(100));
        let found = snippet(&text, "nädel");
        assert_eq!(found.text.chars().count(), SNIPPET);
        assert!(found.text.starts_with("…heu") || found.text.starts_with("…über"));
        assert!(found.text.ends_with('…'));
        assert_eq!(shown(&found), ["nädel"]);
    }

    #[test]
    fn a_match_beyond_the_piece_is_left_out_and_one_too_long_is_cut() {
        let found = snippet(&format!("a{}a", " x".repeat(200)), "a");
        assert_eq!(found.matches, [(0, 1)]);
        let found = snippet(&"ä".repeat(500), &"ä".repeat(500));
        assert_eq!(found.matches, [(0, SNIPPET - 1)]);
        assert_eq!(found.text.chars().count(), SNIPPET);
    }
}
