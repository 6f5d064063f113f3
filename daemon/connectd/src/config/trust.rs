//! `[trust]`: the organisations whose word verifies contacts.

use connect_proto::keys::SignPublicKey;
use serde::Deserialize;

use super::ConfigError;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TrustSection {
    /// As `connectd organisation-key new` shows it: 64 digits of hex.
    organisation_keys: Vec<String>,
}

impl TrustSection {
    pub(super) fn read(&self) -> Result<Vec<SignPublicKey>, ConfigError> {
        self.organisation_keys
            .iter()
            .map(|key| {
                let bytes = hex::decode(key).map_err(|_| ConfigError::OrganisationKey)?;
                SignPublicKey::admit(&bytes).map_err(|_| ConfigError::OrganisationKey)
            })
            .collect()
    }
}
