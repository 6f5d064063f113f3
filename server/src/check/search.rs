//! What a search may ask for, and how it is put to the index.

use connect_proto::ids::UserId;
use connect_proto::{routes, wire};

use crate::limits::{MAX_SEARCH_QUERY, MAX_SEARCH_WORDS};
use crate::refusal::Wrong;

/// Shorter words are taken whole, since every other name begins with any two letters.
const PREFIX_LETTERS: usize = 3;
/// Letters at the end of a word, after a dot or dash, that may be the beginning of another.
const LAST_PREFIX_LETTERS: usize = 2;

/// A checked `SearchRequest`.
#[derive(Debug)]
pub(crate) struct Search {
    /// An expression of FTS5: every word, of which nothing but letters and digits counts.
    pub(crate) words: String,
    /// The whole query, where it can be a user id.
    pub(crate) user_id: Option<UserId>,
    pub(crate) limit: usize,
}

pub(crate) fn check(request: &wire::SearchRequest, letters: usize) -> Result<Search, Wrong> {
    let query = request.query.trim();
    if query.len() > MAX_SEARCH_QUERY || query.chars().any(char::is_control) {
        return Err(Wrong::Query);
    }
    let words: Vec<&str> = query
        .split_whitespace()
        .filter(|word| count(word) > 0)
        .collect();
    if words.len() > MAX_SEARCH_WORDS || count(query) < letters {
        return Err(Wrong::Query);
    }
    let phrases: Vec<_> = words.into_iter().map(phrase).collect();
    Ok(Search {
        words: phrases.join(" AND "),
        user_id: query.parse().ok(),
        limit: limit(request.limit),
    })
}

fn limit(asked: u32) -> usize {
    match usize::try_from(asked) {
        // Left out.
        Ok(0) | Err(_) => routes::MAX_SEARCH,
        Ok(limit) => limit.min(routes::MAX_SEARCH),
    }
}

fn phrase(word: &str) -> String {
    let last = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let last = last.rsplit(|c: char| !c.is_alphanumeric()).next();
    let is_prefix = count(word) >= PREFIX_LETTERS
        && last.is_some_and(|last| count(last) >= LAST_PREFIX_LETTERS);
    let star = if is_prefix { " *" } else { "" };
    format!("\"{}\"{star}", word.replace('"', " "))
}

fn count(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(query: &str) -> Result<Search, Wrong> {
        let request = wire::SearchRequest {
            query: query.to_owned(),
            limit: 0,
        };
        check(&request, 3)
    }

    #[test]
    fn long_words_are_beginnings_and_short_ones_whole() {
        let words = |query: &str| search(query).unwrap().words;
        assert_eq!(words(" Müller "), "\"Müller\" *");
        assert_eq!(words("Li Wu"), "\"Li\" AND \"Wu\"");
        assert_eq!(words("dr.noor"), "\"dr.noor\" *");
        assert_eq!(words("dr.n"), "\"dr.n\"");
        assert_eq!(words("noor - herz"), "\"noor\" * AND \"herz\" *");
    }

    #[test]
    fn what_could_be_syntax_is_none() {
        let words = search("a\"b\" OR user_id:x*").unwrap().words;
        assert_eq!(words, "\"a b \" AND \"OR\" AND \"user_id:x*\"");
    }

    #[test]
    fn too_short_or_too_long_is_refused() {
        let nine = "abc ".repeat(9);
        for query in [
            "",
            "ab",
            "a-b",
            "* * *",
            "abc\ndef",
            &"a".repeat(129),
            &nine,
        ] {
            assert_eq!(search(query).unwrap_err(), Wrong::Query, "{query:?}");
        }
    }

    #[test]
    fn only_what_can_be_a_user_id_is_looked_up_as_one() {
        assert!(search("dr.noor").unwrap().user_id.is_some());
        assert!(search("dr noor").unwrap().user_id.is_none());
    }

    #[test]
    fn no_more_than_fifty_are_given() {
        assert_eq!([0, 1, 50, 51, u32::MAX].map(limit), [50, 1, 50, 50, 50]);
    }
}
