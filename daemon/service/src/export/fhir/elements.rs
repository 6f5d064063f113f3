//! The data types of FHIR R4 that an export uses, as they go into JSON.

use std::borrow::Cow;

use serde::Serialize;

pub(super) type Text<'a> = Cow<'a, str>;

#[derive(Serialize)]
pub(super) struct Coding {
    pub(super) system: &'static str,
    pub(super) code: &'static str,
}

#[derive(Serialize, Default)]
pub(super) struct Concept<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) coding: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'a>>,
}

#[derive(Serialize)]
pub(super) struct Identifier<'a> {
    pub(super) system: String,
    pub(super) value: Text<'a>,
}

#[derive(Serialize, Default)]
pub(super) struct Reference<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension<'a>>,
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) identifier: Option<Identifier<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<Text<'a>>,
}

/// A value, or extensions of its own.
#[derive(Serialize)]
pub(super) struct Extension<'a> {
    #[serde(rename = "extension", skip_serializing_if = "Vec::is_empty")]
    inner: Vec<Extension<'a>>,
    url: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    value: Option<Value<'a>>,
}

#[derive(Serialize)]
pub(super) enum Value<'a> {
    #[serde(rename = "valueBoolean")]
    Boolean(bool),
    #[serde(rename = "valueCode")]
    Code(&'static str),
    #[serde(rename = "valueDecimal")]
    Decimal(u64),
    #[serde(rename = "valueInstant")]
    Instant(String),
    #[serde(rename = "valueReference")]
    Reference(Reference<'a>),
    #[serde(rename = "valueString")]
    Text(Text<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation<'a> {
    pub(super) author_reference: Reference<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    pub(super) text: Text<'a>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<Text<'a>>,
}

#[derive(Serialize)]
pub(super) struct HumanName<'a> {
    pub(super) text: Text<'a>,
}

impl<'a> Extension<'a> {
    pub(super) fn of(url: &'static str, value: Value<'a>) -> Self {
        Self {
            inner: Vec::new(),
            url,
            value: Some(value),
        }
    }

    pub(super) fn group(url: &'static str, inner: Vec<Self>) -> Self {
        Self {
            inner,
            url,
            value: None,
        }
    }
}

impl<'a> Concept<'a> {
    pub(super) fn coded(system: &'static str, code: &'static str) -> Self {
        Self {
            coding: vec![Coding { system, code }],
            text: None,
        }
    }

    pub(super) fn text(text: Text<'a>) -> Self {
        Self {
            coding: Vec::new(),
            text: Some(text),
        }
    }
}

impl Reference<'_> {
    /// To a resource of the same bundle.
    pub(super) fn to(id: &str) -> Self {
        Self {
            url: Some(full_url(id)),
            ..Self::default()
        }
    }
}

pub(super) fn full_url(id: &str) -> String {
    format!("urn:uuid:{id}")
}

/// Text as FHIR's `string` allows it: not empty, and no control characters but tab and line ends. Others are shown as
/// U+FFFD.
pub(super) fn string(text: &str) -> Option<Text<'_>> {
    if text.is_empty() {
        return None;
    }
    if is_string(text) {
        return Some(Cow::Borrowed(text));
    }
    let shown = |c: char| if is_allowed(c) { c } else { '\u{fffd}' };
    Some(Cow::Owned(text.chars().map(shown).collect()))
}

pub(super) fn is_string(text: &str) -> bool {
    text.chars().all(is_allowed)
}

fn is_allowed(c: char) -> bool {
    c >= ' ' || matches!(c, '\t' | '\n' | '\r')
}
