//! An export as one HTML page for people: nothing in it is fetched or run, and everything that others wrote is text.

mod entry;
mod visible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_core::attachment::MAX_SIZE;
use connect_proto::hash::sha256;
use connect_store::codes::Trust;
use maud::{Markup, PreEscaped, html};

use self::visible::visible;
use super::model::{Case, Entry, Form, Heading, People, Person, Standing, instant};
use super::naming;

const STYLE: &str = include_str!("html.css");
/// Whoever looks for the end of the page finds this, and nothing that others wrote can look like it.
pub const END: &str = "<footer id=\"end\">";

#[derive(Debug)]
pub struct Html {
    heading: Heading,
}

impl Html {
    pub fn new(heading: &Heading) -> Self {
        Self {
            heading: heading.clone(),
        }
    }
}

impl Form for Html {
    fn begin(&mut self, out: &mut Vec<u8>, heading: &Heading, people: &People) {
        put(out, &head(heading));
        put(out, &about(heading));
        put(out, &participants(heading, people));
        if let Some(case) = &heading.case {
            put(out, &fields(case, people));
        }
        out.extend_from_slice(b"<main>\n");
    }

    /// Each message says what is to be known of its author.
    fn person(&mut self, _out: &mut Vec<u8>, _person: &Person) {}

    fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry, people: &People) {
        put(out, &entry::article(&self.heading, entry, people));
    }

    fn end(&mut self, out: &mut Vec<u8>, messages: u64) {
        out.extend_from_slice(b"</main>\n");
        out.extend_from_slice(END.as_bytes());
        put(
            out,
            &html! { "End of the export: " (messages) " messages." },
        );
        out.extend_from_slice(b"</footer>\n</body>\n</html>\n");
    }
}

fn put(out: &mut Vec<u8>, markup: &Markup) {
    out.extend_from_slice(markup.0.as_bytes());
    out.push(b'\n');
}

/// Up to the opened body: what follows comes piece by piece.
fn head(heading: &Heading) -> Markup {
    let pictures = match heading.files_up_to_bytes {
        Some(_) => "img-src data:; ",
        None => "",
    };
    let policy = format!(
        "default-src 'none'; {pictures}style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(sha256(STYLE.as_bytes()))
    );
    html! {
        (PreEscaped("<!DOCTYPE html>\n<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="referrer" content="no-referrer";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (what(heading)) ": " (visible(&heading.title)) }
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body>"))
        p id="cut" { "This page is not whole: it does not come to its end. Export it again." }
        h1 { (what(heading)) ": " bdi { (visible(&heading.title)) } }
    }
}

fn what(heading: &Heading) -> &'static str {
    match naming::conversation(&heading.conversation).0 {
        "case" => "Patient case",
        "group" => "Group conversation",
        _ => "Conversation",
    }
}

fn about(heading: &Heading) -> Markup {
    let window = heading.window;
    let patient = heading
        .case
        .as_ref()
        .and_then(|case| case.patient_reference.as_deref());
    html! {
        table id="about" {
            @if let Some(patient) = patient {
                tr { th { "Patient reference" } td { bdi { (visible(patient)) } } }
            }
            tr { th { "Exported by" } td { (heading.exporter) } }
            tr { th { "Exported at" } td { (time(heading.exported_ms)) } }
            tr { th { "As of event" } td { (heading.last_event_id) } }
            @if window.from_ms > 0 {
                tr { th { "Written from" } td { (time(window.from_ms)) } }
            }
            @if let Some(until) = instant(window.until_ms) {
                tr { th { "Written before" } td { (shown_time(&until)) } }
            }
            @if heading.missing > 0 {
                tr { th { "Missing" } td.warn {
                    (heading.missing) " messages or amendments of others have not come in"
                } }
            }
            tr { th { "Earlier texts" } td {
                @if heading.has_earlier { "in this export" } @else { "not in this export" }
            } }
            tr { th { "Files" } td {
                @match heading.files_up_to_bytes {
                    Some(most) if most < MAX_SIZE => { "of at most " (most) " bytes, as far as they are here" }
                    Some(_) => "as far as they are here",
                    None => "not in this export",
                }
            } }
            tr { th { "Relay" } td { (heading.naming.relay()) } }
            tr { th { "Times" } td { "UTC. When a message was written is its author's word." } }
        }
    }
}

fn participants(heading: &Heading, people: &People) -> Markup {
    html! {
        h2 { "Participants" }
        table id="participants" {
            tr { th { "Name" } th { "Profession" } th { "Organisation" } th { "User id" } th { "Key" } }
            @for person in people.all() {
                tr id={ "u-" (heading.naming.user(&person.user_id)) } {
                    td { bdi { (visible(person.name())) } }
                    td { bdi { (visible(&person.profession)) } }
                    td { bdi { (visible(&person.organisation)) } @if person.attested { " (attested)" } }
                    td { (person.user_id) }
                    td { (mark(person.standing).0) }
                }
            }
        }
    }
}

fn fields(case: &Case, people: &People) -> Markup {
    html! {
        h2 { "Fields" @if let Some(closed_ms) = case.closed_ms { " (closed " (time(closed_ms)) ")" } }
        table id="fields" {
            @for field in &case.fields {
                tr {
                    th { bdi { (visible(&field.name)) } }
                    td { div.text dir="auto" { (visible(&field.value)) } }
                    td { bdi { (visible(people.name(&field.author))) } ", " (time(field.set_ms))
                        @if field.is_contested { ", contested" }
                    }
                }
            }
        }
    }
}

/// In words, and whether it is a warning.
fn mark(standing: Standing) -> (&'static str, bool) {
    match standing {
        Standing::Own => ("own", false),
        Standing::Of(Trust::Verified) => ("key verified", false),
        Standing::Of(Trust::Seen) => ("key seen, not verified", false),
        Standing::Of(Trust::Changed) => ("key changed or rejected", true),
        Standing::Of(Trust::Revoked) => ("key revoked", true),
        Standing::Of(Trust::Unknown) => ("key unknown", true),
    }
}

fn time(ms: u64) -> Markup {
    instant(ms).map_or_else(|| html! { (ms) " ms" }, |at| shown_time(&at))
}

/// From RFC 3339: as it stands for programs, to the second for people.
fn shown_time(at: &str) -> Markup {
    let (day, rest) = at.split_once('T').unwrap_or((at, ""));
    let second = rest.split('.').next().unwrap_or_default();
    html! { time datetime=(at) { (day) " " (second) " UTC" } }
}

#[cfg(test)]
mod tests;
