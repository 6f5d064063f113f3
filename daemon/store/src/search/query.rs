//! What someone looks for: words, beginnings of words (`wor*`) and phrases (`"exact words"`), all of which must occur.

use std::fmt;

use crate::search::words::{Word, words};

/// Bytes of a query.
const LONGEST: usize = 1024;
const MOST_WORDS: usize = 32;

/// A query that was understood. It holds folded words, and nothing that the index would take for its own syntax.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) phrases: Vec<Phrase>,
}

/// Words that follow one another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) words: Vec<String>,
    /// The last word may go on.
    pub(crate) prefix: bool,
}

/// Why a query makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryRefused {
    /// There is no word in it.
    Empty,
    TooLong,
    /// A quotation that does not end.
    Malformed,
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, QueryRefused> {
        if text.len() > LONGEST {
            return Err(QueryRefused::TooLong);
        }
        let mut phrases = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (piece, behind) = first_piece(rest)?;
            let (prefix, behind) = match behind.strip_prefix('*') {
                Some(behind) => (true, behind),
                None => (piece.ends_with('*'), behind),
            };
            let words: Vec<String> = words(piece).into_iter().map(|word| word.folded).collect();
            if !words.is_empty() {
                phrases.push(Phrase { words, prefix });
            }
            rest = behind.trim_start();
        }
        let count: usize = phrases.iter().map(|phrase| phrase.words.len()).sum();
        match count {
            0 => Err(QueryRefused::Empty),
            1..=MOST_WORDS => Ok(Self { phrases }),
            _ => Err(QueryRefused::TooLong),
        }
    }

    /// Which bytes of a text are meant, in their order; none where not everything occurs in it.
    pub(crate) fn matches(&self, text: &str) -> Vec<(usize, usize)> {
        let words = words(text);
        let mut found = Vec::new();
        for phrase in &self.phrases {
            let before = found.len();
            found.extend(phrase.places(&words));
            if found.len() == before {
                return Vec::new();
            }
        }
        found.sort_unstable();
        merge(found)
    }
}

/// A quotation, or what stands before the next space or quotation; and the rest.
fn first_piece(text: &str) -> Result<(&str, &str), QueryRefused> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.split_once('"').ok_or(QueryRefused::Malformed);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '"');
    Ok(text.split_at(end.unwrap_or(text.len())))
}

impl Phrase {
    fn places<'a>(&'a self, words: &'a [Word]) -> impl Iterator<Item = (usize, usize)> + 'a {
        words
            .windows(self.words.len())
            .filter(|window| self.fits(window))
            .map(|window| (window[0].start, window[window.len() - 1].end))
    }

    fn fits(&self, window: &[Word]) -> bool {
        let last = self.words.len() - 1;
        let mut pairs = self.words.iter().zip(window).enumerate();
        pairs.all(|(n, (wanted, word))| {
            if n == last && self.prefix {
                word.folded.starts_with(wanted.as_str())
            } else {
                word.folded == *wanted
            }
        })
    }
}

/// What overlaps is one match.
fn merge(sorted: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(sorted.len());
    for (start, end) in sorted {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Query(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phrase a line, its words separated by a space.
    fn read(text: &str) -> Result<Vec<String>, QueryRefused> {
        let query = Query::parse(text)?;
        let show = |phrase: &Phrase| {
            let star = if phrase.prefix { "*" } else { "" };
            format!("{}{star}", phrase.words.join(" "))
        };
        Ok(query.phrases.iter().map(show).collect())
    }

    #[test]
    fn words_beginnings_and_phrases() {
        assert_eq!(read("Bed  4").unwrap(), ["bed", "4"]);
        assert_eq!(read("pot* \"bed 4\"").unwrap(), ["pot*", "bed 4"]);
        assert_eq!(read("\"bed num\"*x").unwrap(), ["bed num*", "x"]);
        assert_eq!(
            read("follow-up a\"b c\"").unwrap(),
            ["follow up", "a", "b c"]
        );
    }

    #[test]
    fn nothing_of_the_index_s_own_syntax_gets_through() {
        let hostile = "text:a OR NEAR(b c) AND NOT ^d -e {x}: (f + g) ; DROP";
        for phrase in read(hostile).unwrap() {
            let harmless = |c: char| c.is_alphanumeric() || c == ' ';
            assert!(phrase.chars().all(harmless), "{phrase}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, refused) in [
            ("", QueryRefused::Empty),
            (" \" \" * … ", QueryRefused::Empty),
            ("\"open", QueryRefused::Malformed),
            ("a \"", QueryRefused::Malformed),
            (&"a ".repeat(33), QueryRefused::TooLong),
            (&"a".repeat(1025), QueryRefused::TooLong),
        ] {
            assert_eq!(read(text), Err(refused), "{text}");
        }
    }

    #[test]
    fn matches_are_told_where_everything_occurs() {
        let query = Query::parse("pota* \"6 1\"").unwrap();
        assert_eq!(query.matches("Potassium 6.1!"), [(0, 9), (10, 13)]);
        assert!(query.matches("Potassium 6.2").is_empty());
        let query = Query::parse("\"a b\" \"b a\"").unwrap();
        assert_eq!(query.matches("a b a"), [(0, 5)]);
    }
}
