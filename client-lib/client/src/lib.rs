//! Talk to connectd from Rust: typed calls, many at a time, and a stream of events without holes.
//!
//! ```no_run
//! use connect_client::api::conversation::Conversation;
//! use connect_client::client::Client;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder().name("ward-ehr 4.2").connect().await?;
//! let ward = Conversation::User("nurse-on-duty".into());
//! // The same client_ref may be sent again after any failure: it is one message.
//! let sent = client.send_text(ward, "Bed 4 is ready", Some("task-1881".into())).await?;
//! println!("{}", sent.message_id);
//! # Ok(())
//! # }
//! ```
//!
//! A program that is not the daemon's owner is paired with it (`connectctl apps pair`), and shows the token that it was given:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use connect_client::client::Client;
//!
//! use connect_client::credentials::Credentials;
//!
//! // CONNECTD_TOKEN_FILE or CONNECTD_TOKEN; `"ID:TOKEN".parse()` where the program has it from elsewhere.
//! let mut client = Client::builder();
//! if let Some(credentials) = Credentials::from_environment()? {
//!     client = client.credentials(credentials);
//! }
//! let client = client.connect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! It is shown on every connection before anything else, also when one had to be made again. A token that is not taken
//! (any more) ends each call with `unauthenticated`.
//!
//! # What happens when the connection is lost
//!
//! Calls in flight end with [`CallError::Disconnected`](error::CallError::Disconnected) and are **never repeated
//! silently**: the daemon may have done them. Repeating a call that reads is always safe. Repeating `messages.send` is
//! safe with the same `client_ref`, and may send twice without one. The next call connects again.

pub mod bytes;
pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod events;
pub mod follow;

mod backoff;
mod connection;
mod follower;
mod link;
mod wire;

/// Every method, parameter and answer of the contract.
pub use connect_api as api;
