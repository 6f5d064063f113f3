//! Whether a conversation can be exported, and the entry in the audit log before anything of it leaves.

use std::sync::Arc;

use connect_store::conversations::{self, Conversation};
use connect_store::reading::Window;

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Fhir,
    Html,
}

/// What is to be exported, in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub conversation: Conversation,
    pub format: Format,
    pub window: Window,
    /// Whether the texts are wanted that messages had before.
    pub with_earlier: bool,
    /// Files of at most so many bytes are in it, as far as they are here.
    pub files_up_to_bytes: Option<u64>,
}

impl Format {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Fhir => "application/fhir+json",
            Self::Html => "text/html; charset=utf-8",
        }
    }

    /// Ends a file's name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Fhir => "fhir.json",
            Self::Html => "html",
        }
    }
}

/// Messages that were written at `from_ms` or later, and before `to_ms`.
pub fn window(from_ms: Option<u64>, to_ms: Option<u64>) -> Result<Window, Error> {
    let window = Window {
        from_ms: from_ms.unwrap_or(Window::ALWAYS.from_ms),
        until_ms: to_ms.unwrap_or(Window::ALWAYS.until_ms),
    };
    if window.from_ms < window.until_ms {
        Ok(window)
    } else {
        Err(Error::invalid("to_ms", Reason::OutOfRange))
    }
}

/// A conversation that nobody began is not there.
pub async fn check(unlocked: &Unlocked, wanted: &Wanted) -> Result<(), Error> {
    let found = conversations::find(&unlocked.store, &wanted.conversation).await?;
    found.map(|_| ()).ok_or(Error::NotFound)
}

/// The call's entry in the audit log is durable once this returns: what is told afterwards may leave the daemon.
pub async fn enter(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    Ok(Journal::begin(unlocked).await?.commit().await?)
}

/// A file's name that tells of nobody: the time when it was asked for.
pub fn file_name(unlocked: &Unlocked, wanted: &Wanted) -> String {
    let what = match wanted.conversation {
        Conversation::Case(_) => "case",
        Conversation::User(_) | Conversation::Group(_) => "conversation",
    };
    let at = super::model::instant(unlocked.clock.now_ms()).unwrap_or_default();
    let digits: String = at.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let second = digits.split('.').next().unwrap_or_default();
    format!("{what}-{second}Z.{}", wanted.format.suffix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_moment_in_it() {
        assert_eq!(window(None, None), Ok(Window::ALWAYS));
        let one = window(Some(5), Some(6)).unwrap();
        assert!(!one.holds(4) && one.holds(5) && !one.holds(6));
        for (from_ms, to_ms) in [(Some(5), Some(5)), (Some(6), Some(5)), (None, Some(0))] {
            let refused = window(from_ms, to_ms);
            assert_eq!(refused, Err(Error::invalid("to_ms", Reason::OutOfRange)));
        }
    }
}
