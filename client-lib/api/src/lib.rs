//! What crosses the socket: methods, shapes, events and error codes, for both of its ends.
//!
//! Every method is a type that names its parameters, its answer, who may call it and in which state. The daemon's
//! dispatch, the typed client, the OpenRPC document and the access matrix are all made from these types.

pub mod account;
pub mod apps;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod bytes;
pub mod cases;
pub mod contacts;
pub mod conversation;
pub mod conversations;
pub mod errors;
pub mod events;
pub mod examples;
pub mod groups;
pub mod messages;
pub mod method;
pub mod openrpc;
pub mod page;
pub mod policy;
pub mod quarantine;
pub mod recovery;
pub mod reference;
pub mod rpc;
pub mod scope;
pub mod search;
pub mod session;
pub mod system;
pub mod trust;

/// The version of this contract. It is only ever added to.
pub const API_VERSION: u32 = 1;
