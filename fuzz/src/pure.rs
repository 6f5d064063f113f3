//! Targets that are functions of their input alone.

use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use connect_api::recovery::RecoveryKey;
use connect_core::inbound::{self, Candidate, Reader, Standing};
use connect_core::padding::{pad, unpad};
use connect_ipc::frames::{FrameError, FrameReader};
use connect_proto::enrollment::EnrollmentCode;
use connect_proto::request::Claim;
use connect_proto::{codec, wire};
use connect_uplink::address::RelayAddress;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use tokio::io::{AsyncRead, ReadBuf};

use crate::stories::{AUTHORITY, NOW_MS, alice, bob};

/// Bytes that arrive a few at a time.
struct Drip<'a> {
    rest: &'a [u8],
    at_once: usize,
}

impl AsyncRead for Drip<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let count = self.at_once.min(self.rest.len()).min(into.remaining());
        let (now, later) = self.rest.split_at(count);
        into.put_slice(now);
        self.rest = later;
        Poll::Ready(Ok(()))
    }
}

const LONGEST: usize = 64;

fn lines(data: &[u8], at_once: usize) -> Vec<Option<String>> {
    let mut reader = FrameReader::new(
        Drip {
            rest: data,
            at_once,
        },
        LONGEST,
    );
    let mut lines = Vec::new();
    loop {
        let mut next = std::pin::pin!(reader.next());
        let mut context = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(line) = next.as_mut().poll(&mut context) else {
            panic!("a drip never makes anyone wait");
        };
        match line {
            Ok(Some(line)) => {
                assert!(line.len() <= LONGEST && !line.contains('\n'));
                lines.push(Some(line.to_owned()));
            }
            Err(FrameError::NotUtf8) => lines.push(None),
            Ok(None) | Err(FrameError::TooLarge | FrameError::Io(_)) => return lines,
        }
    }
}

/// However the bytes arrive, the lines are the same.
pub(crate) fn frames(data: &[u8]) {
    let slow = lines(data, 1);
    let expected: Vec<Option<String>> = data
        .split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n"))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| line.len() <= LONGEST)
        .map(|line| std::str::from_utf8(line).ok().map(str::to_owned))
        .collect();
    assert_eq!(slow, expected);
    assert_eq!(lines(data, 7), expected);
}

/// As alice does it with what comes from bob.
fn open(envelope: &wire::Envelope) -> Option<inbound::Opened> {
    let (alice, bob) = (alice(), bob());
    let header = inbound::read_header(envelope, &alice.id).ok()?;
    let key = bob.box_key.public_key();
    let shared = alice.box_key.shared_with(&key);
    let own = alice.box_key.public_key();
    let me = Reader {
        user_id: &alice.id,
        box_key: &own,
    };
    let candidate = Candidate {
        box_key: &key,
        shared: &shared,
        standing: Standing::Active,
    };
    inbound::open(&header, me, &[candidate]).ok()
}

/// What a relay answers: it can repeat what was said, and say nothing new.
pub(crate) fn envelopes(data: &[u8]) {
    let Ok(list) = codec::decode::<wire::EnvelopeList>(data) else {
        return;
    };
    for envelope in &list.envelopes {
        if let Some(opened) = open(envelope) {
            assert_eq!(opened.sender, bob().id);
        }
        if let Some(update) = &envelope.contact_update {
            let _ = codec::decode::<wire::ContactUpdateStatement>(&update.statement);
        }
    }
}

/// What a hostile contact can put into its own box, padded by us or as it pleases.
pub(crate) fn inner(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else {
        return;
    };
    let plaintext = if kind % 2 == 0 {
        pad(content)
            .map(|padded| padded.to_vec())
            .unwrap_or_default()
    } else {
        content.to_vec()
    };
    if let Ok(content) = unpad(&plaintext) {
        let again = pad(content).expect("it was padded");
        assert!(again.len() <= plaintext.len());
    }
    if let Some(opened) = open(&bob().boxed(&alice(), &plaintext)) {
        assert_eq!(opened.timestamp_ms, NOW_MS);
        assert_eq!(opened.sender, bob().id);
    }
}

/// Of the signature header either the text or, more often, what is inside its Base64.
pub(crate) fn header(data: &[u8]) {
    use base64::Engine as _;
    let Some((kind, content)) = data.split_first() else {
        return;
    };
    let value = if kind % 4 == 0 {
        String::from_utf8_lossy(content).into_owned()
    } else {
        base64::engine::general_purpose::STANDARD.encode(content)
    };
    let alice = alice();
    if let Ok(claim) = Claim::parse(&value, &alice.id, NOW_MS) {
        let verified = claim.verify(
            "POST",
            AUTHORITY,
            connect_proto::routes::SEND,
            &alice.sign_key.public_key(),
        );
        if let Ok(verified) = verified {
            assert_eq!(
                verified.timestamp_ms, NOW_MS,
                "nobody else has signed anything"
            );
        }
    }
}

/// What a directory says of someone.
pub(crate) fn bundle(data: &[u8]) {
    let Ok(entry) = codec::decode::<wire::DirectoryEntry>(data) else {
        return;
    };
    for signed in entry.keys.iter().filter_map(|key| key.bundle.as_ref()) {
        if let Ok(opened) = connect_proto::bundle::open(signed) {
            let key = opened.sign_key;
            let _ = connect_proto::bundle::check_previous_signature(signed, &key);
        }
    }
}

pub(crate) fn code(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(code) = text.parse::<EnrollmentCode>() {
        assert_eq!(code.expose().parse(), Ok(code));
    }
    let recovery_key = RecoveryKey::new(text.clone().into_owned());
    if let Some(bytes) = recovery_key.bytes() {
        let shown = RecoveryKey::new(recovery_key.expose().to_string());
        assert_eq!(shown.bytes(), Some(bytes));
    }
}

/// A line for the URL, one for each of two pins, and the certificate.
pub(crate) fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(4, '\n');
    let url = lines.next().unwrap_or_default();
    let pins: Vec<String> = lines.by_ref().take(2).map(str::to_owned).collect();
    if RelayAddress::parse(url, &pins, lines.next()).is_ok() {
        assert!(url.trim().to_ascii_lowercase().starts_with("https"));
        assert_eq!(pins.len(), 2);
    }
}

pub(crate) fn pin(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = Keystore::File {
        directory: "/nowhere".into(),
    };
    for keystore in [Keystore::Passphrase, file] {
        let vault = Vault::new(Path::new("/nowhere"), keystore, KdfCost::for_tests());
        if vault.check_new_pin(&text).is_ok() {
            assert!(text.chars().count() >= 5);
        }
    }
}

/// A command line, an argument a line; and the same bytes as what someone else wrote.
pub(crate) fn command(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let arguments = std::iter::once("connectctl").chain(text.split('\n'));
    connectctl::fuzzing::understand(arguments);
    connectctl::fuzzing::show(&text);
}
