//! An organisation that says whose keys are whose, and signs for it.

use connect_proto::keys::SignPublicKey;
use connect_proto::sign::{Purpose, SignSecretKey};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Organisation(SignSecretKey);

impl Organisation {
    pub fn new(seed: u8) -> Self {
        Self(SignSecretKey::from_seed(&[seed; 32]))
    }

    pub fn public_key(&self) -> SignPublicKey {
        self.0.public_key()
    }

    /// A file, as `trust.import` takes it.
    pub fn file(&self, serial: u64, valid_until_ms: u64, entries: &Value) -> Value {
        self.signed(
            &json!({
                "organisation": "Klinikum am See", "serial": serial, "issued_ms": 1,
                "valid_until_ms": valid_until_ms, "entries": entries,
            })
            .to_string(),
        )
    }

    pub fn signed(&self, statement: &str) -> Value {
        let signature = self.0.sign(Purpose::Verification, statement.as_bytes());
        json!({"statement": statement, "signature": hex::encode(signature)})
    }
}
