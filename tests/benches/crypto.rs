//! P13 and the box itself: 200 bytes with a cached secret, and a group of 500, against libsodium.
#![expect(unsafe_code, reason = "libsodium, the yardstick, is C")]

#[expect(dead_code, reason = "all of it is too short to be timed alone")]
mod support;

use std::time::Duration;

use connect_core::boxes::SharedSecret;
use connect_core::inbound::{self, Candidate, Reader, Standing};
use connect_core::message::{Payload, Text};
use connect_core::nonce::Nonce;
use connect_core::outbound::{Draft, Recipient, Sender, seal};
use connect_core::secret::BoxSecretKey;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::wire;
use criterion::Criterion;
use libsodium_sys::{
    crypto_box_beforenm, crypto_box_easy_afternm, crypto_box_open_easy_afternm, sodium_init,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use support::{Samples, heading, in_turn, row, time_batches};

const BYTES: usize = 200;
/// What a message of 200 bytes is padded to (D6).
const PADDED: usize = 512;
const MEMBERS: usize = 500;

struct Person {
    user: UserId,
    secret: BoxSecretKey,
    public: BoxPublicKey,
}

fn person(name: &str, seed: u8) -> Person {
    let secret = BoxSecretKey::from_bytes(&[seed; 32]);
    Person {
        user: name.parse().expect("a user id"),
        public: secret.public_key(),
        secret,
    }
}

struct Sodium {
    shared: [u8; 32],
    nonce: [u8; 24],
    plain: [u8; PADDED],
    sealed: [u8; PADDED + 16],
}

impl Sodium {
    fn new(mine: &Person, theirs: &Person) -> Self {
        let mut shared = [0; 32];
        // SAFETY: the buffers have the lengths that libsodium's manual gives.
        unsafe {
            assert!(sodium_init() >= 0);
            let code = crypto_box_beforenm(
                shared.as_mut_ptr(),
                theirs.public.as_bytes().as_ptr(),
                mine.secret.expose().as_ptr(),
            );
            assert_eq!(code, 0);
        }
        Self {
            shared,
            nonce: [3; 24],
            plain: [b'a'; PADDED],
            sealed: [0; PADDED + 16],
        }
    }

    fn seal(&mut self) {
        // SAFETY: `sealed` has room for `plain` and its tag.
        let code = unsafe {
            crypto_box_easy_afternm(
                self.sealed.as_mut_ptr(),
                self.plain.as_ptr(),
                PADDED as u64,
                self.nonce.as_ptr(),
                self.shared.as_ptr(),
            )
        };
        assert_eq!(code, 0);
    }

    fn open(&mut self) {
        // SAFETY: `plain` has room for what `sealed` holds.
        let code = unsafe {
            crypto_box_open_easy_afternm(
                self.plain.as_mut_ptr(),
                self.sealed.as_ptr(),
                (PADDED + 16) as u64,
                self.nonce.as_ptr(),
                self.shared.as_ptr(),
            )
        };
        assert_eq!(code, 0);
    }
}

fn main() {
    let (alice, bob) = (person("alice", 1), person("bob", 2));
    let mut sodium = Sodium::new(&alice, &bob);
    let shared = alice.secret.shared_with(&bob.public);
    let back = bob.secret.shared_with(&alice.public);
    let payload = Payload::Text(Text {
        body: "a".repeat(BYTES),
        reply_to: None,
    });
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut send = |recipients: &[Recipient<'_>]| sealed(&alice, &payload, recipients, &mut rng);
    let one = [to(&bob, &shared)];
    let group: Vec<Recipient<'_>> = (0..MEMBERS).map(|_| to(&bob, &shared)).collect();
    let envelope = send(&one);
    assert_eq!(envelope.sealed[0].r#box.len(), PADDED + 16);
    let nonce = Nonce::from_bytes([3; 24]);
    let plain = [b'a'; PADDED];
    // The order of the bytes is NaCl's on both sides: each opens what the other sealed.
    let boxed = shared.seal(&nonce, &plain);
    sodium.seal();
    assert_eq!(boxed, sodium.sealed);

    let mut bench = Bench::new();
    bench.pair(
        "a box of 512 bytes sealed",
        || drop(shared.seal(&nonce, &plain)),
        || sodium.seal(),
    );
    bench.pair(
        "a box of 512 bytes opened",
        || drop(back.open(&nonce, &boxed).expect("opened")),
        || sodium.open(),
    );
    bench.pair(
        "a message bound, padded and sealed",
        || drop(send(&one)),
        || sodium.seal(),
    );
    bench.pair(
        "a message opened and checked",
        || open(&envelope, &alice, &bob, &back),
        || sodium.open(),
    );
    bench.pair(
        "a group of 500 sealed",
        || drop(send(&group)),
        || (0..MEMBERS).for_each(|_| sodium.seal()),
    );
    bench.print();
}

/// Each pair is measured twice: by criterion, which tells how it changed since the last run, and in turn, for the ratio.
struct Bench {
    criterion: Criterion,
    rows: Vec<(&'static str, Samples, Samples)>,
}

impl Bench {
    fn new() -> Self {
        let criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1))
            .configure_from_args();
        Self {
            criterion,
            rows: Vec::new(),
        }
    }

    fn pair(&mut self, what: &'static str, mut ours: impl FnMut(), mut yardstick: impl FnMut()) {
        let mut group = self.criterion.benchmark_group(what);
        group.bench_function("ours", |bencher| bencher.iter(&mut ours));
        group.bench_function("libsodium", |bencher| bencher.iter(&mut yardstick));
        group.finish();
        let (a, b) = in_turn(|| time_batches(&mut ours), || time_batches(&mut yardstick));
        self.rows.push((what, a, b));
    }

    fn print(&self) {
        heading(
            "crypto: messages of 200 bytes and libsodium's box of 512 (D6), secrets cached (D5); p50",
        );
        for (what, ours, sodium) in &self.rows {
            row(
                what,
                ours.percentile(50),
                sodium.percentile(50),
                "µs",
                if what.contains("group") {
                    "P13: the seals"
                } else {
                    ""
                },
            );
        }
    }
}

fn to<'a>(person: &'a Person, shared: &'a SharedSecret) -> Recipient<'a> {
    Recipient {
        user_id: &person.user,
        box_key: &person.public,
        shared,
        instead: None,
    }
}

fn sealed(
    from: &Person,
    payload: &Payload,
    recipients: &[Recipient<'_>],
    rng: &mut ChaCha20Rng,
) -> wire::Envelope {
    let sender = Sender {
        user_id: &from.user,
        box_key: &from.public,
        installation_id: InstallationId::from_bytes([1; 8]),
    };
    let draft = Draft {
        message_id: MessageId::from_bytes([2; 16]),
        timestamp_ms: 1,
        group_id: None,
        roster: None,
        sequence: 1,
        ephemeral: false,
        payload,
    };
    seal(sender, draft, recipients, rng).expect("short enough")
}

fn open(envelope: &wire::Envelope, from: &Person, reader: &Person, shared: &SharedSecret) {
    let header = inbound::read_header(envelope, &reader.user).expect("a header");
    let me = Reader {
        user_id: &reader.user,
        box_key: &reader.public,
    };
    let candidate = Candidate {
        box_key: &from.public,
        shared,
        standing: Standing::Active,
    };
    inbound::open(&header, me, &[candidate]).expect("opened");
}
