//! What a user may send, and what each recipient gets of it.

use std::collections::HashSet;

use connect_proto::hash::sha256;
use connect_proto::ids::{CaseId, GroupId, KeyId, MessageId, UserId};
use connect_proto::{codec, routes, wire};

use crate::refusal::Wrong;
use crate::secret::{Tag, truncate};

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// A checked envelope, taken apart.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) message_id: MessageId,
    pub(crate) ephemeral: bool,
    /// The encoding of what all recipients read alike; none where each has a box of its own.
    pub(crate) shared: Option<Vec<u8>>,
    pub(crate) letters: Vec<Letter>,
}

/// What one recipient gets: with `shared` before it, the encoding of an envelope without `queue_seq`.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) recipient: UserId,
    pub(crate) envelope: Vec<u8>,
    /// Of what this recipient reads. Who else reads it is not part of it.
    pub(crate) digest: Tag,
}

pub(crate) fn check(envelope: wire::Envelope, sender: &UserId) -> Result<Outgoing, Wrong> {
    if envelope.sender_id != sender.as_str() {
        return Err(Wrong::Sender);
    }
    if envelope.queue_seq != 0 || envelope.contact_update.is_some() || envelope.bounce.is_some() {
        return Err(Wrong::RelayOnly);
    }
    let message_id = envelope
        .message_id
        .as_slice()
        .try_into()
        .map_err(|_| Wrong::MessageId)?;
    let group_id = envelope.group_id.as_slice();
    if !group_id.is_empty() && GroupId::try_from(group_id).is_err() {
        return Err(Wrong::GroupId);
    }
    let ephemeral = envelope.ephemeral;
    let (shared, letters) = match envelope {
        wire::Envelope {
            case_sealed: Some(_),
            ref sealed,
            ..
        } if !sealed.is_empty() => return Err(Wrong::TwoKinds),
        wire::Envelope {
            case_sealed: Some(_),
            ..
        } => to_participants(envelope)?,
        _ => (None, to_recipients(envelope)?),
    };
    Ok(Outgoing {
        message_id,
        ephemeral,
        shared,
        letters,
    })
}

/// A box per recipient: each gets its own alone.
fn to_recipients(mut envelope: wire::Envelope) -> Result<Vec<Letter>, Wrong> {
    let sealed = std::mem::take(&mut envelope.sealed);
    let recipients = check_recipients(sealed.iter().map(|sealed| sealed.recipient_id.as_str()))?;
    let mut letters = Vec::with_capacity(sealed.len());
    for (sealed, recipient) in sealed.into_iter().zip(recipients) {
        check_key_id(&sealed.sender_key_id)?;
        check_key_id(&sealed.recipient_key_id)?;
        check_box(&sealed.nonce, &sealed.r#box)?;
        envelope.sealed = vec![sealed];
        let bytes = codec::encode(&envelope);
        letters.push(Letter {
            recipient,
            digest: truncate(sha256(&bytes)),
            envelope: bytes,
        });
    }
    Ok(letters)
}

/// One box for all (§8.2.3): it is kept once, and of the list of readers each sees itself alone.
fn to_participants(mut envelope: wire::Envelope) -> Result<(Option<Vec<u8>>, Vec<Letter>), Wrong> {
    let case = envelope.case_sealed.as_mut().ok_or(Wrong::Malformed)?;
    CaseId::try_from(case.case_id.as_slice()).map_err(|_| Wrong::CaseId)?;
    check_box(&case.nonce, &case.r#box)?;
    let recipient_ids = std::mem::take(&mut case.recipient_ids);
    let recipients = check_recipients(recipient_ids.iter().map(String::as_str))?;
    let shared = codec::encode(&envelope);
    let digest = truncate(sha256(&shared));
    let letter = |recipient: UserId| {
        let own = wire::CaseSealed {
            recipient_ids: vec![recipient.as_str().to_owned()],
            ..Default::default()
        };
        let envelope = codec::encode(&wire::Envelope {
            case_sealed: Some(own),
            ..Default::default()
        });
        Letter {
            recipient,
            envelope,
            digest,
        }
    };
    Ok((Some(shared), recipients.into_iter().map(letter).collect()))
}

fn check_recipients<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<UserId>, Wrong> {
    match ids.len() {
        0 => return Err(Wrong::NoRecipient),
        1..=routes::MAX_RECIPIENTS => {}
        _ => return Err(Wrong::TooManyRecipients),
    }
    let mut seen = HashSet::with_capacity(ids.len());
    ids.map(|id| {
        let recipient = id.parse().map_err(|_| Wrong::RecipientId)?;
        if seen.insert(id) {
            Ok(recipient)
        } else {
            Err(Wrong::DuplicateRecipient)
        }
    })
    .collect()
}

fn check_key_id(id: &[u8]) -> Result<(), Wrong> {
    if id.is_empty() || id.len() == KeyId::LEN {
        Ok(())
    } else {
        Err(Wrong::KeyId)
    }
}

/// A box holds its tag and at least one byte, at most the longest padding (D6).
fn check_box(nonce: &[u8], sealed: &[u8]) -> Result<(), Wrong> {
    if nonce.len() != NONCE_LEN {
        return Err(Wrong::Nonce);
    }
    if sealed.len() <= TAG_LEN || sealed.len() > routes::MAX_PADDED + TAG_LEN {
        return Err(Wrong::Box);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> UserId {
        "alice".parse().unwrap()
    }

    fn sealed(recipient: &str) -> wire::Sealed {
        wire::Sealed {
            recipient_id: recipient.to_owned(),
            nonce: vec![1; 24],
            r#box: vec![2; 17],
            ..Default::default()
        }
    }

    fn envelope(recipients: &[&str]) -> wire::Envelope {
        wire::Envelope {
            message_id: vec![7; 16],
            sender_id: "alice".to_owned(),
            timestamp_ms: 1,
            sealed: recipients.iter().copied().map(sealed).collect(),
            ..Default::default()
        }
    }

    fn case(recipients: &[&str]) -> wire::Envelope {
        let recipient_ids = recipients.iter().map(|&id| id.to_owned()).collect();
        wire::Envelope {
            sealed: Vec::new(),
            case_sealed: Some(wire::CaseSealed {
                case_id: vec![3; 16],
                epoch: 2,
                nonce: vec![1; 24],
                r#box: vec![2; 40],
                recipient_ids,
            }),
            ..envelope(&[])
        }
    }

    #[test]
    fn each_recipient_gets_its_own_box_alone() {
        let outgoing = check(envelope(&["bob", "carol"]), &alice()).unwrap();
        assert!(outgoing.shared.is_none());
        for letter in outgoing.letters {
            let read: wire::Envelope = codec::decode(&letter.envelope).unwrap();
            assert_eq!(read, envelope(&[letter.recipient.as_str()]));
        }
    }

    #[test]
    fn the_two_parts_of_a_case_envelope_read_as_one() {
        let outgoing = check(case(&["bob", "carol"]), &alice()).unwrap();
        let shared = outgoing.shared.unwrap();
        for letter in outgoing.letters {
            let read: wire::Envelope =
                codec::decode(&[shared.as_slice(), &letter.envelope].concat()).unwrap();
            assert_eq!(read, case(&[letter.recipient.as_str()]));
        }
    }

    #[test]
    fn what_a_recipient_reads_decides_over_a_repeat_not_who_else_reads_it() {
        let digest =
            |envelope: wire::Envelope| check(envelope, &alice()).unwrap().letters[0].digest;
        assert_eq!(
            digest(envelope(&["bob"])),
            digest(envelope(&["bob", "carol"]))
        );
        assert_eq!(digest(case(&["bob"])), digest(case(&["bob", "carol"])));
        let redated = wire::Envelope {
            timestamp_ms: 2,
            ..envelope(&["bob"])
        };
        assert_ne!(digest(envelope(&["bob"])), digest(redated));
    }

    #[test]
    fn every_wrong_field_has_its_word() {
        let bob = || envelope(&["bob"]);
        let with = |change: &dyn Fn(&mut wire::Sealed)| {
            let mut envelope = bob();
            change(&mut envelope.sealed[0]);
            envelope
        };
        let with_case = |change: &dyn Fn(&mut wire::CaseSealed)| {
            let mut envelope = case(&["bob"]);
            change(envelope.case_sealed.as_mut().unwrap());
            envelope
        };
        let names: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
        let many: Vec<&str> = names.iter().map(String::as_str).collect();
        let table = [
            (
                wire::Envelope {
                    sender_id: "mallory".to_owned(),
                    ..bob()
                },
                Wrong::Sender,
            ),
            (
                wire::Envelope {
                    queue_seq: 1,
                    ..bob()
                },
                Wrong::RelayOnly,
            ),
            (
                wire::Envelope {
                    bounce: Some(wire::Bounce::default()),
                    ..bob()
                },
                Wrong::RelayOnly,
            ),
            (
                wire::Envelope {
                    contact_update: Some(wire::ContactUpdate::default()),
                    ..bob()
                },
                Wrong::RelayOnly,
            ),
            (
                wire::Envelope {
                    message_id: vec![7; 15],
                    ..bob()
                },
                Wrong::MessageId,
            ),
            (
                wire::Envelope {
                    group_id: vec![7; 15],
                    ..bob()
                },
                Wrong::GroupId,
            ),
            (
                wire::Envelope {
                    case_sealed: Some(wire::CaseSealed::default()),
                    ..bob()
                },
                Wrong::TwoKinds,
            ),
            (envelope(&[]), Wrong::NoRecipient),
            (envelope(&many), Wrong::TooManyRecipients),
            (envelope(&["bob", "bob"]), Wrong::DuplicateRecipient),
            (envelope(&["b b"]), Wrong::RecipientId),
            (with(&|sealed| sealed.nonce = vec![0; 32]), Wrong::Nonce),
            (with(&|sealed| sealed.r#box = vec![0; 16]), Wrong::Box),
            (
                with(&|sealed| sealed.r#box = vec![0; (64 << 10) + 17]),
                Wrong::Box,
            ),
            (
                with(&|sealed| sealed.sender_key_id = vec![0; 7]),
                Wrong::KeyId,
            ),
            (
                with(&|sealed| sealed.recipient_key_id = vec![0; 9]),
                Wrong::KeyId,
            ),
            (with_case(&|case| case.case_id = vec![0; 8]), Wrong::CaseId),
            (with_case(&|case| case.nonce = Vec::new()), Wrong::Nonce),
            (with_case(&|case| case.r#box = Vec::new()), Wrong::Box),
            (
                with_case(&|case| case.recipient_ids.clear()),
                Wrong::NoRecipient,
            ),
        ];
        for (envelope, word) in table {
            assert_eq!(check(envelope, &alice()).unwrap_err(), word);
        }
    }
}
