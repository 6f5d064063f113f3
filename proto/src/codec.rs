//! Encoding and decoding of wire types, so that no other crate needs prost.

use prost::Message;

/// The bytes are not a message of the expected type. What was wrong is never told: it may quote content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid protobuf message of the expected type")]
pub struct DecodeError;

pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

pub fn encoded_len<M: Message>(message: &M) -> usize {
    message.encoded_len()
}

pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    M::decode(bytes).map_err(|_| DecodeError)
}

/// A wire type, for those who decode generically.
pub trait Wire: Message + Default {}

impl<M: Message + Default> Wire for M {}
