//! What an export says, whichever form it has.

use std::collections::BTreeMap;

use connect_proto::ids::{MessageId, UserId};
use connect_store::amendments::Version;
use connect_store::codes::Trust;
use connect_store::conversations::Conversation;
use connect_store::messages::Message;
use connect_store::reading::Window;
use jiff::Timestamp;

use super::content::Slot;
use super::naming::Naming;

/// What stands before the messages.
#[derive(Clone)]
pub struct Heading {
    pub naming: Naming,
    pub conversation: Conversation,
    /// The contact's display name, or the group's or case's title.
    pub title: String,
    /// Whose installation exports it.
    pub exporter: UserId,
    pub exported_ms: u64,
    /// Everything that was committed up to this event is in it, and nothing that came after.
    pub last_event_id: u64,
    pub window: Window,
    /// Of what others sent, so many are known to be missing, whenever they were written.
    pub missing: u64,
    /// Whether the texts are in it that messages had before (`messages.versions`).
    pub has_earlier: bool,
    /// Files of at most so many bytes are in it, as far as they are here; none where it says nothing.
    pub files_up_to_bytes: Option<u64>,
    /// Of a case: what it has beside its messages.
    pub case: Option<Case>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Case {
    /// As its creator wrote it: the record system's own number of the patient.
    pub patient_reference: Option<String>,
    pub closed_ms: Option<u64>,
    pub fields: Vec<Field>,
}

/// A field's newest value; each of them, where two were set beside one another.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
    pub author: UserId,
    pub set_ms: u64,
    /// Another value was set beside this one, and nobody has settled it.
    pub is_contested: bool,
}

/// How well somebody's key is known when the export is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The account's own.
    Own,
    Of(Trust),
}

#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub standing: Standing,
}

/// A message and what belongs to it.
#[derive(Clone)]
pub struct Entry {
    pub message: Message,
    /// Texts that it had before, the oldest first; none where they are not to be told.
    pub earlier: Vec<Version>,
    /// How many there are in all.
    pub earlier_count: u64,
    pub answers: Option<Answers>,
    pub attachments: Vec<Attachment>,
    /// Of a case's entry: whether its author's signature holds.
    pub signature: Option<Signature>,
}

/// The message that this one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    pub message_id: MessageId,
    /// None where it is not here.
    pub sender: Option<UserId>,
    pub is_in_export: bool,
}

/// A file: what is said of it, and where its bytes belong if they are in the export.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Legal in the name of a resource.
    pub id: String,
    /// As its sender wrote it.
    pub file_name: String,
    pub media_type: String,
    pub size: u64,
    pub content: Option<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    Holds,
    /// The key that it is under is not known here.
    UnknownKey,
}

/// Who was met by now.
#[derive(Clone, Default)]
pub struct People(BTreeMap<UserId, Person>);

/// One of the forms of an export. Each appends to what goes out next.
pub trait Form: Send + Sync {
    /// `people` are those who are known to take part; the exporter is one of them.
    fn begin(&mut self, out: &mut Vec<u8>, heading: &Heading, people: &People);
    /// Somebody else, before what they have said or got.
    fn person(&mut self, out: &mut Vec<u8>, person: &Person);
    fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry, people: &People);
    /// Nothing without this is whole.
    fn end(&mut self, out: &mut Vec<u8>, messages: u64);
}

impl Standing {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Of(trust) => trust.word(),
        }
    }
}

impl Signature {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::UnknownKey => "unknown_key",
        }
    }
}

impl Person {
    /// Somebody of whom nothing is known.
    pub fn unknown(user_id: UserId) -> Self {
        Self {
            user_id,
            display_name: String::new(),
            profession: String::new(),
            organisation: String::new(),
            attested: false,
            standing: Standing::Of(Trust::Unknown),
        }
    }

    pub fn name(&self) -> &str {
        if self.display_name.is_empty() {
            self.user_id.as_str()
        } else {
            &self.display_name
        }
    }
}

impl People {
    pub fn add(&mut self, person: Person) {
        self.0.insert(person.user_id.clone(), person);
    }

    pub fn find(&self, user_id: &UserId) -> Option<&Person> {
        self.0.get(user_id)
    }

    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.0.values()
    }

    pub fn name<'p>(&'p self, user_id: &'p UserId) -> &'p str {
        self.find(user_id)
            .map_or_else(|| user_id.as_str(), Person::name)
    }

    pub fn standing(&self, user_id: &UserId) -> Standing {
        self.find(user_id)
            .map_or(Standing::Of(Trust::Unknown), |person| person.standing)
    }
}

/// To the millisecond, in UTC, as RFC 3339 and FHIR have it. None beyond the year 9999: a sender may write anything.
pub fn instant(ms: u64) -> Option<String> {
    let at = i64::try_from(ms).ok()?;
    let at = Timestamp::from_millisecond(at).ok()?;
    Some(format!("{at:.3}"))
}

macro_rules! silent {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
silent!(Heading, Case, Field, Person, Entry, Attachment, People);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_a_zone_and_absurd_ones_are_none() {
        assert_eq!(instant(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(
            instant(1_772_438_412_345).as_deref(),
            Some("2026-03-02T08:00:12.345Z")
        );
        assert_eq!(instant(1 << 53), None);
        assert_eq!(instant(u64::MAX), None);
    }
}
