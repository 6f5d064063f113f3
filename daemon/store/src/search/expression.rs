//! From a query to FTS5's own language: quoted words and nothing else.

use sqlx::{Row as _, SqliteConnection};

use crate::conversations::ConversationRow;
use crate::error::StoreError;
use crate::search::query::{Phrase, Query};

/// The index has lists of its own for beginnings of up to this many letters.
const SHORT: usize = 4;
/// Words that a longer beginning is spelled out into. Beyond them FTS5 puts their lists together before it gives the first.
const MOST_WORDS: u32 = 8;

/// What FTS5 is asked; none where nothing can match.
pub(crate) async fn expression(
    look: &mut SqliteConnection,
    query: &Query,
    conversation: Option<ConversationRow>,
) -> Result<Option<String>, StoreError> {
    let mut parts = Vec::new();
    for phrase in &query.phrases {
        match spell_out(look, phrase).await? {
            None => parts.push(quoted(phrase)),
            Some(phrases) if phrases.is_empty() => return Ok(None),
            Some(phrases) => {
                let phrases: Vec<String> = phrases.iter().map(quoted).collect();
                parts.push(format!("({})", phrases.join(" OR ")));
            }
        }
    }
    // A letter for private use: no query has it in a word of its own.
    parts.extend(conversation.map(|row| format!("conversation : \"\u{e000}{}\"", row.0)));
    Ok(Some(parts.join(" AND ")))
}

fn quoted(phrase: &Phrase) -> String {
    let star = if phrase.prefix { " *" } else { "" };
    format!("\"{}\"{star}", phrase.words.join(" "))
}

/// The phrase with each word of the index that begins as its last one does: their lists are read lazily, side by side. None
/// where the phrase stays as it is.
async fn spell_out(
    look: &mut SqliteConnection,
    phrase: &Phrase,
) -> Result<Option<Vec<Phrase>>, StoreError> {
    let Some((word, first)) = phrase.words.split_last() else {
        return Ok(None);
    };
    if !phrase.prefix || word.chars().count() <= SHORT {
        return Ok(None);
    }
    // From one word straight to the next: reading through the vocabulary would read through every word's list.
    let rows = sqlx::query(
        "WITH RECURSIVE found (word, n) AS (
             SELECT * FROM (SELECT term, 1 FROM vocabulary WHERE term >= ?1 AND term < ?2 ORDER BY term LIMIT 1)
             UNION ALL
             SELECT (SELECT term FROM vocabulary WHERE term >= found.word || char(1) AND term < ?2
                     ORDER BY term LIMIT 1), n + 1
             FROM found WHERE found.word IS NOT NULL AND n <= ?3)
         SELECT word FROM found WHERE word IS NOT NULL",
    )
    .bind(word)
    .bind(format!("{word}{}", char::MAX))
    .bind(MOST_WORDS)
    .fetch_all(&mut *look)
    .await?;
    if rows.len() > MOST_WORDS as usize {
        return Ok(None);
    }
    let mut phrases = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut words = first.to_vec();
        words.push(row.try_get(0)?);
        let prefix = false;
        phrases.push(Phrase { words, prefix });
    }
    Ok(Some(phrases))
}
