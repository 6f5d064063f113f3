//! The socket of a daemon that is enrolled and unlocked: framing, requests, dispatch, parameters and use-cases together.

use std::sync::LazyLock;

use connect_core::secret::DatabaseKey;
use connect_ipc::endpoint::Endpoint;
use connect_ipc::socket::Audience;
use connect_proto::ids::InstallationId;
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::session::Phase;
use connect_store::account::{self, Account};
use connect_store::codes::{KeyState, Trust};
use connect_store::contacts::{self, Contact, ContactKey};
use connect_store::database::Store;
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use connectd::config::{Config, SessionConfig};
use connectd::lifecycle::{self, Daemon};
use connectd::limits::Limits;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::stories::{NOW_MS, alice, bob};

pub(crate) const PIN: &str = "a long enough passphrase";
/// So that lines that are too long are short.
const LINE_IN: usize = 4096;
const INTERNAL: i64 = -32050;

struct House {
    dir: TempDir,
    daemon: Daemon,
    runtime: Runtime,
}

static HOUSE: LazyLock<House> = LazyLock::new(House::build);

/// In memory where there is such a place: nobody waits for a disk.
pub(crate) fn fresh_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory")
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

impl House {
    fn build() -> Self {
        let (dir, runtime) = (fresh_dir(), runtime());
        let daemon = runtime.block_on(async {
            furnish(&dir).await;
            let config = Config {
                state_dir: dir.path().to_owned(),
                endpoint: Endpoint::new(dir.path().join("socket")),
                keystore: Keystore::Passphrase,
                owner_uids: Vec::new(),
                audience: Audience::User,
                session: SessionConfig::default(),
            organisation_keys: Vec::new(),
                limits: Limits {
                    line_in: LINE_IN,
                    sends_per_second: 1_000_000,
                    send_burst: 1_000_000,
                    ..Limits::default()
                },
            };
            let chance = Chance::from_source(ChaCha20Rng::seed_from_u64(1));
            let (clock, _) = Clock::manual(NOW_MS);
            lifecycle::start(config, KdfCost::for_tests(), clock, chance)
                .await
                .expect("a daemon")
        });
        Self {
            dir,
            daemon,
            runtime,
        }
    }

    fn vault(&self) -> Vault {
        vault(&self.dir)
    }

    /// Whatever the last input did.
    async fn unlock(&self) {
        if !matches!(self.daemon.session().phase(), Phase::Unlocked(_)) {
            self.vault().reset_attempts().expect("a file");
            self.daemon
                .session()
                .unlock(PIN.to_owned().into())
                .await
                .expect("the PIN is right");
        }
    }
}

fn vault(dir: &TempDir) -> Vault {
    Vault::new(
        &dir.path().join("account"),
        Keystore::Passphrase,
        KdfCost::for_tests(),
    )
}

/// An account with a contact, made without a relay, which will never be there.
async fn furnish(dir: &TempDir) {
    let (alice, bob) = (alice(), bob());
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let keys = Keys::generate(alice.id.clone(), &mut rng);
    vault(dir)
        .create(&keys, PIN, None, &mut rng)
        .expect("sealed keys");
    let key = DatabaseKey::from_bytes(keys.database_key.expose());
    let store = Store::create(&dir.path().join("account/messages.db"), key)
        .await
        .expect("a database");
    let mut tx = store.begin().await.expect("a transaction");
    let account = Account {
        user_id: alice.id.clone(),
        installation_id: InstallationId::from_bytes([1; 8]),
        display_name: "Alice".to_owned(),
        profession: String::new(),
        organisation: String::new(),
        attested: false,
        box_key: keys.box_key.public_key(),
        sign_key: keys.sign_key.public_key(),
        bundle_revision: 1,
        relay_url: "https://127.0.0.1:1".to_owned(),
        relay_pins: [1, 2].map(|n| format!("sha256/{}", pin(n))).to_vec(),
        relay_ca_pem: None,
        operations_key: bob.sign_key.public_key(),
        enrolled_ms: NOW_MS,
    };
    account::put(&mut tx, &account).await.expect("an account");
    let contact = Contact {
        user_id: bob.id.clone(),
        display_name: "Bob".to_owned(),
        profession: String::new(),
        organisation: String::new(),
        attested: false,
        trust: Trust::Seen,
        update_revision: 0,
        added_ms: NOW_MS,
        removed: false,
        blocked: false,
        contradiction: None,
        stated: None,
        keys: vec![ContactKey {
            revision: 1,
            box_key: bob.box_key.public_key(),
            sign_key: bob.sign_key.public_key(),
            digest: [0; 32],
            state: KeyState::Active,
            changed_ms: NOW_MS,
            countersigned: false,
            decision: None,
            fingerprint: None,
        }],
    };
    contacts::put(&mut tx, None, &contact)
        .await
        .expect("a contact");
    tx.commit().await.expect("a commit");
    store.close().await;
}

fn pin(byte: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode([byte; 32])
}

/// Every line that comes back is JSON, and no input makes the daemon fail.
pub(crate) fn socket(data: &[u8]) {
    HOUSE.runtime.block_on(async {
        HOUSE.unlock().await;
        let stream = UnixStream::connect(HOUSE.daemon.endpoint().path())
            .await
            .expect("a connection");
        let (mut read, mut write) = stream.into_split();
        let asking = async {
            // A line that is too long ends the connection, in the middle of our writing.
            let _ = write.write_all(data).await;
            let _ = write.write_all(b"\n").await;
            let _ = write.shutdown().await;
        };
        let mut answers = Vec::new();
        let (_, read) = tokio::join!(asking, read.read_to_end(&mut answers));
        if read.is_err() {
            return;
        }
        for line in answers
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let answer: Value = serde_json::from_slice(line).expect("an answer is JSON");
            let code = answer["error"]["code"].as_i64();
            assert!(code.is_none_or(|code| code != INTERNAL), "{answer}");
        }
    });
}
