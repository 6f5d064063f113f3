//! `cases.*`: what colleagues share of one patient: fields, a conversation, and who takes part.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contacts::Trust;
use crate::conversations::{Export, ExportFormat};
use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// How a case stands here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    Open,
    /// Everybody reads it, and nobody writes into it any more.
    Closed,
    /// The account takes part no more; what it could read stays readable here.
    Left,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What a participant may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseRole {
    /// Reads, writes, sets fields and adds colleagues.
    Member,
    /// Also takes others out and closes the case.
    Admin,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    pub user_id: String,
    /// Empty where the participant is not known yet.
    pub display_name: String,
    pub role: CaseRole,
    /// How well the participant's key is known. Not there for the account itself, and for one who is not known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trust: Option<Trust>,
}

impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Participant(..)")
    }
}

/// A revision of a field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldVersion {
    pub revision: u64,
    /// Not there where the value is no text, and where the answer would be longer than a line may be: of a case with many long
    /// fields `cases.field_history` has it, of a long history the export.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    pub media_type: String,
    /// The author's user id; the signature was verified.
    pub author: String,
    /// When its author says that it was written.
    pub written_ms: u64,
}

impl fmt::Debug for FieldVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldVersion({})", self.revision)
    }
}

/// A field as it is now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    pub name: String,
    #[serde(flatten)]
    pub newest: FieldVersion,
    /// What others wrote at the same time, without knowing of this one. Setting the field once more settles it.
    pub conflicts: Vec<FieldVersion>,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Field(..)")
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Case {
    /// 32 digits of hex; its conversation is `{"case": …}`.
    pub case: String,
    pub title: String,
    /// The record system's own identifier of the patient.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patient_reference: Option<String>,
    pub state: CaseState,
    /// Of title, participants and state.
    pub revision: u64,
    /// Which key what is written now is sealed under: another one whenever somebody goes or has another key (D16).
    pub epoch: u32,
    /// By user id.
    pub participants: Vec<Participant>,
    /// By name.
    pub fields: Vec<Field>,
    /// What was written before the account joined is not here yet: it is being fetched, or whoever added the account has not
    /// brought it to the relay.
    pub awaits_history: bool,
    /// When it came here.
    pub created_ms: u64,
    pub changed_ms: u64,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.case)
    }
}

/// A case in the list of cases.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseSummary {
    pub case: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patient_reference: Option<String>,
    pub state: CaseState,
    pub revision: u64,
    /// The participants' user ids.
    pub participants: Vec<String>,
    pub changed_ms: u64,
}

impl fmt::Debug for CaseSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaseSummary({})", self.case)
    }
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateParams {
    /// One line, at most 256 bytes.
    pub title: String,
    /// One line, at most 128 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patient_reference: Option<String>,
    /// Contacts; the account itself takes part anyway, as the case's admin.
    #[serde(default)]
    pub participants: Vec<String>,
    /// The first fields, by name, as plain text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub fields: BTreeMap<String, String>,
}

impl fmt::Debug for CreateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreateParams(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseParams {
    /// The case's id: 32 digits of hex.
    pub case: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFieldParams {
    /// The case's id: 32 digits of hex.
    pub case: String,
    /// One line, at most 128 bytes.
    pub name: String,
    /// At most 32 KiB; what is longer is an attachment.
    pub value: String,
    /// `text/plain` when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub media_type: Option<String>,
    /// The revision that was read; 0 for a field that there is not yet.
    pub expected_revision: u64,
}

impl fmt::Debug for SetFieldParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetFieldParams(..)")
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldParams {
    /// The case's id: 32 digits of hex.
    pub case: String,
    /// As it was set.
    pub name: String,
}

impl fmt::Debug for FieldParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldParams(..)")
    }
}

/// Every revision, the oldest first; of those with one number any may stand first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldHistory {
    pub items: Vec<FieldVersion>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParticipantParams {
    /// The case's id: 32 digits of hex.
    pub case: String,
    /// Who is to come in, or to go.
    pub user_id: String,
}

const READ: Access = Access::Scope(Scope::CasesRead);
const WRITE: Access = Access::Scope(Scope::CasesWrite);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportCaseParams {
    /// The case's id: 32 digits of hex.
    pub case: String,
    /// For the record system, or for people.
    pub format: ExportFormat,
    /// Only messages that were written then or later, as their authors say: milliseconds since the epoch. The fields are
    /// told as they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_ms: Option<u64>,
    /// Only messages that were written before: later than `from_ms`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ms: Option<u64>,
    /// Files of at most so many bytes are in it, as far as they are here whole. Left out: none, only what is said of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub files_up_to_bytes: Option<u64>,
}

method! {
    /// Begins a case: its keys go to every participant.
    Create = "cases.create"(CreateParams) -> Case, WRITE, Needs::Unlocked, [Invalid, UnknownContact, RateLimited]
}

method! {
    /// One case, with its participants and fields.
    Get = "cases.get"(CaseParams) -> Case, READ, Needs::Unlocked, [Invalid, NotFound]
}

method! {
    /// The cases, the newest first.
    List = "cases.list"(ListParams) -> Page<CaseSummary>, READ, Needs::Unlocked, [Invalid]
}

method! {
    /// Sets a field on the revision that was read. Two people who do so at the same time see a conflict, with both values.
    SetField = "cases.set_field"(SetFieldParams) -> Case, WRITE, Needs::Unlocked,
        [Invalid, NotFound, NotAParticipant, RevisionConflict, RateLimited]
}

method! {
    /// Every revision that a field ever had.
    ListFieldHistory = "cases.field_history"(FieldParams) -> FieldHistory, READ, Needs::Unlocked, [Invalid, NotFound]
}

method! {
    /// Adds a contact, who reads the whole case from its start.
    AddParticipant = "cases.add_participant"(ParticipantParams) -> Case, WRITE, Needs::Unlocked,
        [Invalid, NotFound, NotAParticipant, UnknownContact, RateLimited]
}

method! {
    /// Takes a participant out, by an admin of the case: what is written from now on is sealed under another key.
    RemoveParticipant = "cases.remove_participant"(ParticipantParams) -> Case, WRITE, Needs::Unlocked,
        [Invalid, NotFound, NotAParticipant, RateLimited]
}

method! {
    /// Takes part no more. What could be read until now stays readable here.
    Leave = "cases.leave"(CaseParams) -> Case, WRITE, Needs::Unlocked, [Invalid, NotFound, NotAParticipant, RateLimited]
}

method! {
    /// Ends a case, by an admin of it: it stays readable, and nothing is written into it any more.
    Close = "cases.close"(CaseParams) -> Case, WRITE, Needs::Unlocked, [Invalid, NotFound, NotAParticipant, RateLimited]
}
method! {
    /// A ticket for one case in clear, with its fields, as of the moment when the ticket is shown: for the record system or as a page to read. Earlier texts are in it for whoever may also read the audit log.
    ExportCase = "cases.export"(ExportCaseParams) -> Export, Access::Scope(Scope::CasesRead), Needs::Unlocked, [Invalid, NotFound, RateLimited]
}
