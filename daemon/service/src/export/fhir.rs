//! An export as a FHIR R4 `Bundle` of type `collection`, entry by entry. A bundle that was cut off is no JSON.

mod communication;
mod elements;
mod resources;
mod vocabulary;

use serde::Serialize;

use self::elements::{
    Concept, Extension, HumanName, Identifier, Reference, Value, full_url, string,
};
use self::resources::{
    Answer, BundleMeta, Entry as BundleEntry, Item, Practitioner, PractitionerRole, Qualification,
    QuestionnaireResponse, Resource,
};
use super::model::{Case, Entry, Form, Heading, People, Person, instant};
use super::naming;

/// The latest that FHIR can say.
const END_OF_TIME: &str = "9999-12-31T23:59:59.999Z";

#[derive(Debug)]
pub struct Fhir {
    heading: Heading,
    entries: Entries,
}

#[derive(Debug, Default)]
struct Entries {
    is_begun: bool,
}

impl Entries {
    fn put(&mut self, out: &mut Vec<u8>, id: &str, resource: Resource<'_>) {
        if self.is_begun {
            out.push(b',');
        }
        self.is_begun = true;
        out.push(b'\n');
        let entry = BundleEntry {
            full_url: full_url(id),
            resource,
        };
        write(out, &entry);
    }
}

impl Fhir {
    pub fn new(heading: &Heading) -> Self {
        Self {
            heading: heading.clone(),
            entries: Entries::default(),
        }
    }

    fn put_person(&mut self, out: &mut Vec<u8>, person: &Person) {
        let naming = &self.heading.naming;
        let id = naming.user(&person.user_id);
        let practitioner = Practitioner {
            id: id.clone(),
            extension: vec![Extension::of(
                vocabulary::ATTESTED,
                Value::Boolean(person.attested),
            )],
            identifier: vec![Identifier {
                system: naming.system("user"),
                value: person.user_id.as_str().into(),
            }],
            name: string(&person.display_name)
                .map(|text| HumanName { text })
                .into_iter()
                .collect(),
            qualification: string(&person.profession)
                .map(|text| Qualification {
                    code: Concept::text(text),
                })
                .into_iter()
                .collect(),
        };
        self.entries
            .put(out, &id, Resource::Practitioner(practitioner));
        let Some(organisation) = string(&person.organisation) else {
            return;
        };
        let role_id = naming.uuid("role", &[person.user_id.as_str()]);
        let role = PractitionerRole {
            id: role_id.clone(),
            practitioner: Reference::to(&id),
            organization: Reference {
                display: Some(organisation),
                ..Reference::default()
            },
        };
        self.entries
            .put(out, &role_id, Resource::PractitionerRole(role));
    }

    fn put_case(&mut self, out: &mut Vec<u8>, case: &Case) {
        let naming = &self.heading.naming;
        let (kind, peer) = naming::conversation(&self.heading.conversation);
        let id = naming.uuid("fields", &[kind, &peer]);
        let newest = case.fields.iter().map(|field| field.set_ms).max();
        let item = case.fields.iter().filter_map(|field| {
            let name = string(&field.name)?;
            let set = [
                instant(field.set_ms).map(|at| Extension::of("at", Value::Instant(at))),
                Some(Extension::of(
                    "contested",
                    Value::Boolean(field.is_contested),
                )),
                Some(Extension::of(
                    "author",
                    Value::Reference(Reference::to(&naming.user(&field.author))),
                )),
            ];
            Some(Item {
                extension: vec![Extension::group(
                    vocabulary::SET,
                    set.into_iter().flatten().collect(),
                )],
                link_id: name.clone(),
                text: name,
                answer: string(&field.value)
                    .map(|value_string| Answer { value_string })
                    .into_iter()
                    .collect(),
            })
        });
        let fields = QuestionnaireResponse {
            id: id.clone(),
            identifier: Identifier {
                system: naming.system("case"),
                value: peer.into(),
            },
            status: match case.closed_ms {
                Some(_) => "completed",
                None => "in-progress",
            },
            subject: communication::patient(&self.heading),
            authored: newest.and_then(instant),
            item: item.collect(),
        };
        self.entries
            .put(out, &id, Resource::QuestionnaireResponse(fields));
    }
}

impl Form for Fhir {
    fn begin(&mut self, out: &mut Vec<u8>, heading: &Heading, people: &People) {
        let (kind, peer) = naming::conversation(&heading.conversation);
        let exporter = heading.exporter.as_str();
        let at = heading.exported_ms.to_string();
        let id = heading.naming.uuid("export", &[exporter, kind, &peer, &at]);
        let timestamp = recorded(heading.exported_ms);
        out.extend_from_slice(b"{\"resourceType\":\"Bundle\",\"id\":");
        write(out, &id);
        out.extend_from_slice(b",\"meta\":");
        write(out, &meta(heading));
        out.extend_from_slice(b",\"type\":\"collection\",\"timestamp\":");
        write(out, &timestamp);
        out.extend_from_slice(b",\"entry\":[");
        for person in people.all() {
            self.put_person(out, person);
        }
        if let Some(case) = &heading.case {
            self.put_case(out, case);
        }
    }

    fn person(&mut self, out: &mut Vec<u8>, person: &Person) {
        self.put_person(out, person);
    }

    fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry, people: &People) {
        let heading = &self.heading;
        let message = &entry.message;
        let id = heading.naming.message(&message.sender, message.message_id);
        for attachment in &entry.attachments {
            let (id, document) = communication::document(heading, entry, attachment);
            self.entries
                .put(out, &id, Resource::DocumentReference(document));
        }
        let communication = communication::communication(heading, entry, &id);
        let communication = Resource::Communication(Box::new(communication));
        self.entries.put(out, &id, communication);
        let (provenance_id, provenance) = communication::provenance(heading, entry, people, &id);
        self.entries
            .put(out, &provenance_id, Resource::Provenance(provenance));
    }

    fn end(&mut self, out: &mut Vec<u8>, _messages: u64) {
        out.extend_from_slice(b"\n]}\n");
    }
}

/// Of the bundle as a whole. A bundle takes no extension itself; its `meta` does.
fn meta(heading: &Heading) -> BundleMeta<'_> {
    let exporter = heading.naming.user(&heading.exporter);
    let window = heading.window;
    let bound = |url, ms| instant(ms).map(|at| Extension::of(url, Value::Instant(at)));
    let (kind, _) = naming::conversation(&heading.conversation);
    let said = [
        Some(Extension::of("conversation", Value::Code(kind))),
        string(&heading.title).map(|title| Extension::of("title", Value::Text(title))),
        Some(Extension::of(
            "exporter",
            Value::Reference(Reference::to(&exporter)),
        )),
        Some(Extension::of(
            "last-event",
            Value::Decimal(heading.last_event_id),
        )),
        Some(Extension::of("missing", Value::Decimal(heading.missing))),
        bound("from", window.from_ms).filter(|_| window.from_ms > 0),
        bound("until", window.until_ms),
        Some(Extension::of(
            "earlier-texts",
            Value::Boolean(heading.has_earlier),
        )),
        heading
            .files_up_to_bytes
            .map(|most| Extension::of("files-up-to", Value::Decimal(most))),
    ];
    BundleMeta {
        extension: vec![Extension::group(
            vocabulary::EXPORT,
            said.into_iter().flatten().collect(),
        )],
    }
}

fn recorded(ms: u64) -> String {
    instant(ms).unwrap_or_else(|| END_OF_TIME.to_owned())
}

fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value)
        .expect("no map, no float, and memory takes all: it serializes");
}

#[cfg(test)]
mod tests;
