//! An export on its way out: read twice in one read transaction, once for its length and once for its bytes, so that it
//! is never held in memory nor written to a disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use connect_proto::ids::{MessageId, UserId};
use connect_store::attachments::Attached;
use connect_store::cases::fields::Kept;
use connect_store::conversations::{Conversation, ConversationRow};
use connect_store::messages::Message;
use connect_store::place::Place;
use connect_store::reading::{Answered, Known, Own, Reading};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::ask::{Format, Wanted};
use super::content::{Choice, Filling, Piece, Slot, cut};
use super::fhir::Fhir;
use super::html::Html;
use super::model::{
    Answers, Attachment, Case, Entry, Field, Form, Heading, People, Person, Signature, Standing,
};
use super::naming::Naming;
use crate::error::Error;
use crate::session::Session;
use crate::unlocked::Unlocked;

/// Messages that are read at a time: 1.6 MB of text at most.
const PAGE: u32 = 100;
/// Of one piece: it ends with the message that reaches it, whatever else was read.
const PIECE: usize = 1 << 20;
/// Earlier texts of one message that are told at most: the newest.
const MOST_EARLIER: u32 = 500;
/// How long one waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

/// An export on its way out.
#[derive(Debug)]
pub struct Outgoing {
    /// In bytes.
    pub size: u64,
    /// The newest event that is in it.
    pub last_event_id: u64,
    pub exported_ms: u64,
    unlocked: Arc<Unlocked>,
    reading: Reading,
    pass: Pass,
    filling: Option<Filling>,
    _turn: OwnedMutexGuard<()>,
}

/// Once through the conversation.
struct Pass {
    wanted: Wanted,
    row: ConversationRow,
    heading: Heading,
    people: People,
    form: Box<dyn Form>,
    stage: Stage,
    choice: Choice,
    pieces: VecDeque<Piece>,
    /// Read, and not told yet.
    read: VecDeque<Message>,
    answered: BTreeMap<MessageId, Answered>,
    messages: u64,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Beginning,
    After(Option<Place>),
    Done,
}

/// Fixes the moment and measures what there is. What is committed from here on is not in it.
pub async fn begin(
    session: &Session,
    unlocked: &Arc<Unlocked>,
    wanted: &Wanted,
) -> Result<Outgoing, Error> {
    let turn = Arc::clone(&session.exporting).lock_owned();
    let turn = timeout(PATIENCE, turn).await;
    let turn = turn.map_err(|_| Error::RateLimited {
        retry_after_ms: 10_000,
    })?;
    let exported_ms = unlocked.clock.now_ms();
    let mut reading = Reading::begin(&unlocked.store).await?;
    let choice = Choice::new(wanted.files_up_to_bytes);
    let mut measured = Pass::new(&mut reading, wanted, exported_ms, choice).await?;
    let mut size = 0;
    while let Some(piece) = measured.next(&mut reading, unlocked).await? {
        size += piece.len();
    }
    Ok(Outgoing {
        size,
        last_event_id: reading.last_event_id(),
        exported_ms,
        pass: Pass::new(&mut reading, wanted, exported_ms, measured.choice).await?,
        unlocked: Arc::clone(unlocked),
        reading,
        filling: None,
        _turn: turn,
    })
}

impl Outgoing {
    /// The next bytes; none after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(filling) = &mut self.filling {
                match filling.next().await? {
                    None => self.filling = None,
                    bytes => return Ok(bytes),
                }
            }
            match self.pass.next(&mut self.reading, &self.unlocked).await? {
                None => return Ok(None),
                Some(Piece::Text(bytes)) => return Ok(Some(bytes)),
                Some(Piece::File(id, _)) => {
                    self.filling = Some(Filling::begin(&self.unlocked, id).await?);
                }
            }
        }
    }
}

impl Pass {
    async fn new(
        reading: &mut Reading,
        wanted: &Wanted,
        exported_ms: u64,
        choice: Choice,
    ) -> Result<Self, Error> {
        let own = reading.own().await?.ok_or(Error::NotEnrolled)?;
        let row = reading.conversation(&wanted.conversation).await?;
        let row = row.ok_or(Error::NotFound)?;
        let mut others = reading.speakers(row).await?;
        let subject = subject(reading, row, &wanted.conversation).await?;
        others.extend(subject.people);
        let naming = Naming::new(&own.relay_url);
        let exporter = own.user_id.clone();
        let mut people = People::default();
        people.add(own_person(own));
        meet(reading, &mut people, others).await?;
        let heading = Heading {
            naming,
            conversation: wanted.conversation.clone(),
            title: subject
                .title
                .unwrap_or_else(|| title(&wanted.conversation, &people)),
            exporter,
            exported_ms,
            last_event_id: reading.last_event_id(),
            window: wanted.window,
            missing: reading.missing(row).await?,
            has_earlier: wanted.with_earlier,
            files_up_to_bytes: wanted.files_up_to_bytes,
            case: subject.case,
        };
        let form: Box<dyn Form> = match wanted.format {
            Format::Fhir => Box::new(Fhir::new(&heading)),
            Format::Html => Box::new(Html::new(&heading)),
        };
        Ok(Self {
            wanted: wanted.clone(),
            row,
            heading,
            people,
            form,
            stage: Stage::Beginning,
            choice,
            pieces: VecDeque::new(),
            read: VecDeque::new(),
            answered: BTreeMap::new(),
            messages: 0,
        })
    }

    async fn next(
        &mut self,
        reading: &mut Reading,
        unlocked: &Unlocked,
    ) -> Result<Option<Piece>, Error> {
        if self.pieces.is_empty() {
            let mut out = Vec::new();
            match self.stage {
                Stage::Beginning => {
                    self.form.begin(&mut out, &self.heading, &self.people);
                    self.stage = Stage::After(None);
                }
                Stage::After(place) => {
                    if self.read.is_empty() {
                        self.read_page(reading, place, &mut out).await?;
                    }
                    self.tell(reading, unlocked, &mut out).await?;
                }
                Stage::Done => return Ok(None),
            }
            self.pieces.push_back(Piece::Text(out));
        }
        Ok(self.pieces.pop_front())
    }

    /// After the last one it ends.
    async fn read_page(
        &mut self,
        reading: &mut Reading,
        place: Option<Place>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let window = self.wanted.window;
        let page = reading.messages(self.row, place, window, PAGE).await?;
        let Some((last, _)) = page.last() else {
            self.form.end(out, self.messages);
            self.stage = Stage::Done;
            return Ok(());
        };
        self.stage = Stage::After(Some(*last));
        let asked: Vec<_> = page
            .iter()
            .filter_map(|(_, found)| found.reply_to)
            .collect();
        self.answered = reading.answered(self.row, &asked).await?;
        let named = page.iter().flat_map(|(_, message)| named_in(message));
        let strangers: Vec<UserId> = named
            .filter(|user_id| self.people.find(user_id).is_none())
            .cloned()
            .collect();
        for person in meet(reading, &mut self.people, strangers).await? {
            self.form.person(out, &person);
        }
        self.read = page.into_iter().map(|(_, message)| message).collect();
        Ok(())
    }

    /// A message may have had many texts: what was read is told in pieces.
    async fn tell(
        &mut self,
        reading: &mut Reading,
        unlocked: &Unlocked,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let window = self.wanted.window;
        while out.len() < PIECE
            && self.pieces.is_empty()
            && let Some(message) = self.read.pop_front()
        {
            let answers = message.reply_to.map(|message_id| {
                let found = self.answered.get(&message_id);
                Answers {
                    message_id,
                    sender: found.map(|found| found.sender.clone()),
                    is_in_export: found.is_some_and(|found| window.holds(found.timestamp_ms)),
                }
            });
            let mut entry = self.entry(reading, message, answers).await?;
            let files = self.choose(unlocked, &mut entry).await?;
            self.form.entry(out, &entry, &self.people);
            self.messages += 1;
            if !files.is_empty() {
                self.pieces.extend(cut(std::mem::take(out), files)?);
            }
        }
        Ok(())
    }

    /// Keeps a place for each file of a message that is to be in it.
    async fn choose(
        &mut self,
        unlocked: &Unlocked,
        entry: &mut Entry,
    ) -> Result<Vec<(Slot, Piece)>, Error> {
        let mut files = Vec::new();
        for (said, attached) in entry.attachments.iter_mut().zip(&entry.message.attachment) {
            if self.choice.has(unlocked, attached).await? {
                let slot = Slot::random(&mut unlocked.chance.clone());
                said.content = Some(slot.clone());
                files.push((slot, Piece::File(attached.attachment_id, attached.size)));
            }
        }
        Ok(files)
    }

    async fn entry(
        &self,
        reading: &mut Reading,
        message: Message,
        answers: Option<Answers>,
    ) -> Result<Entry, Error> {
        let is_amended = message.edited_ms.is_some() || message.deleted_ms.is_some();
        let most = if self.wanted.with_earlier {
            MOST_EARLIER
        } else {
            0
        };
        let (earlier_count, earlier) = if is_amended {
            reading.earlier(message.row, most).await?
        } else {
            (0, Vec::new())
        };
        Ok(Entry {
            earlier,
            earlier_count,
            answers,
            attachments: message.attachment.iter().map(attachment).collect(),
            // An entry of a case is taken in where its author's signature holds, and not otherwise (D14).
            signature: self.heading.case.as_ref().map(|_| Signature::Holds),
            message,
        })
    }
}

/// What a conversation is with or about, as of the moment that is read.
struct Subject {
    /// None where it goes by the other one's name.
    title: Option<String>,
    people: Vec<UserId>,
    case: Option<Case>,
}

async fn subject(
    reading: &mut Reading,
    row: ConversationRow,
    conversation: &Conversation,
) -> Result<Subject, Error> {
    match conversation {
        Conversation::User(peer) => Ok(Subject {
            title: None,
            people: vec![peer.clone()],
            case: None,
        }),
        Conversation::Group(_) => {
            let (name, people) = reading.group(row).await?.ok_or(Error::NotFound)?;
            Ok(Subject {
                title: Some(name),
                people,
                case: None,
            })
        }
        Conversation::Case(case_id) => {
            let (stored, fields) = reading.case(*case_id).await?.ok_or(Error::NotFound)?;
            let closed_ms = stored.closed_ms;
            let (control, _) = stored.control.ok_or(Error::NotFound)?;
            let participants = control.roster.into_iter().map(|one| one.user_id);
            let authors = fields.iter().map(|field| field.author.clone());
            Ok(Subject {
                people: participants.chain(authors).collect(),
                title: Some(control.title),
                case: Some(Case {
                    patient_reference: Some(control.patient_reference)
                        .filter(|reference| !reference.is_empty()),
                    closed_ms,
                    fields: fields.into_iter().map(field).collect(),
                }),
            })
        }
    }
}

fn field(kept: Kept) -> Field {
    Field {
        name: kept.name,
        value: String::from_utf8_lossy(&kept.value).into_owned(),
        author: kept.author,
        set_ms: kept.written_ms,
        is_contested: kept.contested,
    }
}

fn attachment(attached: &Attached) -> Attachment {
    Attachment {
        id: attached.attachment_id.to_string(),
        file_name: attached.filename.clone(),
        media_type: attached.media_type.clone(),
        size: attached.size,
        content: None,
    }
}

/// Of two people's conversation, the other one's name.
fn title(conversation: &Conversation, people: &People) -> String {
    match conversation {
        Conversation::User(peer) => people.name(peer).to_owned(),
        Conversation::Group(_) | Conversation::Case(_) => String::new(),
    }
}

fn named_in(message: &Message) -> impl Iterator<Item = &UserId> {
    let recipients = message.recipients.iter();
    std::iter::once(&message.sender).chain(recipients.map(|recipient| &recipient.user_id))
}

/// Whoever was not met before, in the order of their ids; somebody who is not known is met all the same.
async fn meet(
    reading: &mut Reading,
    people: &mut People,
    mut user_ids: Vec<UserId>,
) -> Result<Vec<Person>, Error> {
    user_ids.sort_unstable();
    user_ids.dedup();
    user_ids.retain(|user_id| people.find(user_id).is_none());
    if user_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: Vec<Person> = Vec::new();
    known.extend(reading.people(&user_ids).await?.into_iter().map(person));
    let met = user_ids.into_iter().map(|user_id| {
        let place = known.iter().position(|known| known.user_id == user_id);
        place.map_or_else(
            || Person::unknown(user_id),
            |place| known.swap_remove(place),
        )
    });
    let met: Vec<Person> = met.collect();
    for person in &met {
        people.add(person.clone());
    }
    Ok(met)
}

fn person(known: Known) -> Person {
    Person {
        user_id: known.user_id,
        display_name: known.display_name,
        profession: known.profession,
        organisation: known.organisation,
        attested: known.attested,
        standing: Standing::Of(known.trust),
    }
}

fn own_person(own: Own) -> Person {
    Person {
        user_id: own.user_id,
        display_name: own.display_name,
        profession: own.profession,
        organisation: own.organisation,
        attested: own.attested,
        standing: Standing::Own,
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass(..)")
    }
}
