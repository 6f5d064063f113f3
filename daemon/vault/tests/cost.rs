//! What one guess costs on this machine: `cargo test -p connect-vault --release --test cost -- --ignored --nocapture`.

use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

#[test]
#[ignore = "a measurement, not a fact"]
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement takes the real clock"
)]
fn sealing_takes() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let keys = Keys::generate("alice".parse().unwrap(), &mut rng);
    for round in 0..5 {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(home.path(), Keystore::Passphrase, KdfCost::production());
        let start = std::time::Instant::now();
        vault
            .create(&keys, "correct horse battery staple", &mut rng)
            .unwrap();
        println!("round {round}: {:?}", start.elapsed());
    }
}
