//! What one guess of a PIN costs on this machine.

use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

const ROUNDS: usize = 5;

#[expect(clippy::print_stdout, reason = "a bench prints")]
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement takes the real clock"
)]
fn main() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let keys = Keys::generate("alice".parse().expect("a user id"), &mut rng);
    println!("vault: sealing keys under a passphrase, which derives once");
    for round in 0..ROUNDS {
        let home = tempfile::tempdir().expect("a directory");
        let vault = Vault::new(home.path(), Keystore::Passphrase, KdfCost::production());
        let start = std::time::Instant::now();
        vault
            .create(&keys, "correct horse battery staple", None, &mut rng)
            .expect("sealed");
        println!("round {round}: {:?}", start.elapsed());
    }
}
