//! Searching the texts of messages.

use connect_store::conversations::{self, Conversation};
use connect_store::search::query::{Query, QueryRefused};
use connect_store::search::{self, Found, Wanted};

use crate::error::{Error, Reason};
use crate::unlocked::Unlocked;

/// What to look for, and where.
#[derive(Clone)]
pub struct Request {
    pub query: String,
    pub conversation: Option<Conversation>,
    /// The `next` of the page before.
    pub before: Option<i64>,
    pub limit: u32,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// A page of hits, newest first; a conversation that nobody began has none.
pub async fn search(unlocked: &Unlocked, request: &Request) -> Result<Found, Error> {
    let query = Query::parse(&request.query)
        .map_err(|refused| Error::invalid("query", from_refused(refused)))?;
    let conversation = match &request.conversation {
        None => None,
        Some(named) => match conversations::find(&unlocked.store, named).await? {
            Some(row) => Some(row),
            None => {
                return Ok(Found {
                    hits: Vec::new(),
                    next: None,
                });
            }
        },
    };
    let wanted = Wanted {
        query: &query,
        conversation,
        before: request.before,
        limit: request.limit,
    };
    Ok(search::find(&unlocked.store, &wanted).await?)
}

fn from_refused(refused: QueryRefused) -> Reason {
    match refused {
        QueryRefused::Empty => Reason::Empty,
        QueryRefused::TooLong => Reason::TooLong,
        QueryRefused::Malformed => Reason::Malformed,
    }
}
