//! An `EnvelopeList` read piece by piece: one envelope that is none does not take the others with it (D19).

use prost::Message as _;

use crate::codec::{DecodeError, decode};
use crate::wire;

#[derive(prost::Message)]
struct Pieces {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    envelopes: Vec<bytes::Bytes>,
}

/// What an acknowledgement takes; whatever else the envelope says is not looked at.
#[derive(prost::Message)]
struct Stub {
    #[prost(bytes = "vec", tag = "1")]
    message_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    timestamp_ms: u64,
    #[prost(uint64, tag = "14")]
    queue_seq: u64,
}

/// One piece of the list.
#[derive(Debug)]
pub enum Piece {
    Envelope(Box<wire::Envelope>),
    /// As it came; with what acknowledges it, if that much can be read.
    Undecodable {
        bytes: bytes::Bytes,
        ack: Option<wire::AckEntry>,
    },
}

pub fn decode_list(list: bytes::Bytes) -> Result<Vec<Piece>, DecodeError> {
    let pieces = Pieces::decode(list).map_err(|_| DecodeError)?;
    Ok(pieces.envelopes.into_iter().map(read).collect())
}

fn read(bytes: bytes::Bytes) -> Piece {
    if let Ok(envelope) = decode::<wire::Envelope>(&bytes) {
        return Piece::Envelope(Box::new(envelope));
    }
    let stub: Option<Stub> = decode(&bytes).ok();
    Piece::Undecodable {
        ack: stub.map(|stub| wire::AckEntry {
            queue_seq: stub.queue_seq,
            message_id: stub.message_id,
            timestamp_ms: stub.timestamp_ms,
        }),
        bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    fn list(envelopes: &[&[u8]]) -> bytes::Bytes {
        let mut list = Vec::new();
        for envelope in envelopes {
            list.push(0x0a);
            list.push(u8::try_from(envelope.len()).unwrap());
            list.extend_from_slice(envelope);
        }
        list.into()
    }

    #[test]
    fn one_that_is_none_leaves_the_others_readable() {
        let good = encode(&wire::Envelope {
            queue_seq: 2,
            message_id: vec![1; 16],
            ..Default::default()
        });
        // A box that is said to be longer than it is, in an envelope that can be acknowledged.
        let torn = [&good[..], &[0x2a, 2, 0x0a, 9]].concat();
        let pieces = decode_list(list(&[&good, &torn, &[0xff], &good])).unwrap();
        assert!(matches!(&pieces[0], Piece::Envelope(envelope) if envelope.queue_seq == 2));
        let Piece::Undecodable { bytes, ack } = &pieces[1] else {
            panic!("decoded");
        };
        assert_eq!(bytes, &torn);
        let ack = ack.as_ref().unwrap();
        assert_eq!(
            (ack.queue_seq, ack.message_id.as_slice()),
            (2, &[1; 16][..])
        );
        assert!(matches!(&pieces[2], Piece::Undecodable { ack: None, .. }));
        assert!(matches!(&pieces[3], Piece::Envelope(_)));
        assert!(decode_list(bytes::Bytes::from_static(&[0x0a, 9])).is_err());
    }
}
