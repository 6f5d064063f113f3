//! A conversation for the record system: as FHIR R4, or as one page for people, made piece by piece as of one moment.

pub mod ask;
pub mod content;
pub mod fhir;
pub mod html;
pub mod model;
pub mod naming;
pub mod outgoing;
