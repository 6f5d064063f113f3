//! The resources of FHIR R4 that an export has, with the elements that it uses of them.

use serde::Serialize;

use super::elements::{
    Annotation, Attachment, Concept, Extension, HumanName, Identifier, Reference, Text,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry<'a> {
    pub(super) full_url: String,
    pub(super) resource: Resource<'a>,
}

#[derive(Serialize)]
#[serde(tag = "resourceType")]
pub(super) enum Resource<'a> {
    Practitioner(Practitioner<'a>),
    PractitionerRole(PractitionerRole<'a>),
    Communication(Box<Communication<'a>>),
    DocumentReference(DocumentReference<'a>),
    QuestionnaireResponse(QuestionnaireResponse<'a>),
    Provenance(Provenance<'a>),
}

/// What stands before a bundle's entries.
#[derive(Serialize)]
pub(super) struct BundleMeta<'a> {
    pub(super) extension: Vec<Extension<'a>>,
}

#[derive(Serialize)]
pub(super) struct Practitioner<'a> {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension<'a>>,
    pub(super) identifier: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) name: Vec<HumanName<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) qualification: Vec<Qualification<'a>>,
}

#[derive(Serialize)]
pub(super) struct Qualification<'a> {
    pub(super) code: Concept<'a>,
}

#[derive(Serialize)]
pub(super) struct PractitionerRole<'a> {
    pub(super) id: String,
    pub(super) practitioner: Reference<'a>,
    pub(super) organization: Reference<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Communication<'a> {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension<'a>>,
    pub(super) identifier: Vec<Identifier<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) in_response_to: Vec<Reference<'a>>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_reason: Option<Concept<'a>>,
    pub(super) category: Vec<Concept<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<Concept<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) recipient: Vec<Reference<'a>>,
    pub(super) sender: Reference<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) payload: Vec<Payload<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) note: Vec<Annotation<'a>>,
}

/// One of them.
#[derive(Serialize)]
pub(super) enum Payload<'a> {
    #[serde(rename = "contentString")]
    Text(Text<'a>),
    #[serde(rename = "contentAttachment")]
    File(Attachment<'a>),
    #[serde(rename = "contentReference")]
    Elsewhere(Reference<'a>),
}

#[derive(Serialize)]
pub(super) struct DocumentReference<'a> {
    pub(super) id: String,
    pub(super) identifier: Vec<Identifier<'a>>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    pub(super) author: Vec<Reference<'a>>,
    pub(super) content: Vec<DocumentContent<'a>>,
}

#[derive(Serialize)]
pub(super) struct DocumentContent<'a> {
    pub(super) attachment: Attachment<'a>,
}

/// A case's fields, as answers to questions that have its names.
#[derive(Serialize)]
pub(super) struct QuestionnaireResponse<'a> {
    pub(super) id: String,
    pub(super) identifier: Identifier<'a>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authored: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) item: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item<'a> {
    pub(super) extension: Vec<Extension<'a>>,
    pub(super) link_id: Text<'a>,
    pub(super) text: Text<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) answer: Vec<Answer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    pub(super) value_string: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provenance<'a> {
    pub(super) id: String,
    pub(super) target: Vec<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) occurred_date_time: Option<String>,
    pub(super) recorded: String,
    pub(super) activity: Concept<'a>,
    pub(super) agent: Vec<Agent<'a>>,
}

#[derive(Serialize)]
pub(super) struct Agent<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension<'a>>,
    #[serde(rename = "type")]
    pub(super) kind: Concept<'a>,
    pub(super) who: Reference<'a>,
}
