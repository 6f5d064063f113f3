//! The encoding of an `EnvelopeList` out of envelopes that are encoded already: they are copied once, never decoded.

use crate::store::mailbox::{Page, Waiting};

/// `EnvelopeList.envelopes = 1`, a message.
const ENVELOPES: u8 = (1 << 3) | 2;
/// `EnvelopeList.more = 2`, a number.
const MORE: u8 = 2 << 3;
/// `Envelope.queue_seq = 14`, a number.
const QUEUE_SEQ: u8 = 14 << 3;

/// An encoded `EnvelopeList`.
#[derive(Debug)]
pub(super) struct List(Vec<u8>);

impl List {
    pub(super) const MORE_LEN: usize = 2;

    pub(super) fn encode(page: &Page) -> Self {
        let len = page.waiting.iter().map(Self::encoded_len).sum::<usize>() + Self::MORE_LEN;
        let mut bytes = Vec::with_capacity(len);
        for waiting in &page.waiting {
            bytes.push(ENVELOPES);
            put_varint(&mut bytes, envelope_len(waiting) as u64);
            bytes.extend_from_slice(&waiting.shared);
            bytes.extend_from_slice(&waiting.envelope);
            bytes.push(QUEUE_SEQ);
            put_varint(&mut bytes, waiting.queue_seq);
        }
        if page.more {
            bytes.extend([MORE, 1]);
        }
        Self(bytes)
    }

    /// What one envelope adds to a list.
    pub(super) fn encoded_len(waiting: &Waiting) -> usize {
        let len = envelope_len(waiting);
        1 + varint_len(len as u64) + len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn envelope_len(waiting: &Waiting) -> usize {
    waiting.shared.len() + waiting.envelope.len() + 1 + varint_len(waiting.queue_seq)
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use connect_proto::{codec, wire};

    use super::*;

    #[test]
    fn a_list_reads_as_what_was_put_in() {
        let envelope = |n: u64, len: usize| wire::Envelope {
            message_id: vec![9; 16],
            group_id: vec![7; len],
            queue_seq: n,
            ..Default::default()
        };
        let expected: Vec<_> = [(1, 0), (127, 100), (128, 127), (1 << 39, 20_000)]
            .map(|(n, len)| envelope(n, len))
            .into();
        let waiting = expected.iter().map(|envelope| Waiting {
            queue_seq: envelope.queue_seq,
            shared: Vec::new(),
            envelope: codec::encode(&wire::Envelope {
                queue_seq: 0,
                ..envelope.clone()
            }),
        });
        for more in [false, true] {
            let page = Page {
                waiting: waiting.clone().collect(),
                more,
            };
            let list = List::encode(&page).into_bytes();
            let len: usize = page.waiting.iter().map(List::encoded_len).sum();
            assert_eq!(list.len(), len + if more { List::MORE_LEN } else { 0 });
            let read: wire::EnvelopeList = codec::decode(&list).unwrap();
            assert_eq!(
                read,
                wire::EnvelopeList {
                    envelopes: expected.clone(),
                    more
                }
            );
        }
    }
}
