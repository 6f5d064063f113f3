//! Who the account is while unlocked: its profile and its keys, replaced together when keys are rotated.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::boxes::SharedSecret;
use connect_core::secret::{BoxSecretKey, DatabaseKey, LocalFileKey};
use connect_proto::bundle;
use connect_proto::hash::Digest;
use connect_proto::ids::{KeyId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::sign::SignSecretKey;
use connect_proto::wire;
use connect_store::account::Account;
use connect_uplink::uplink::Credentials;

use crate::shared::SharedSecrets;

/// The keys that stay the same for as long as the account does.
pub(crate) struct LastingKeys {
    pub(crate) database_key: DatabaseKey,
    pub(crate) local_file_key: LocalFileKey,
}

/// A Box Key of ours, with what it shares with others' (D5).
pub(crate) struct OwnBox {
    secret: BoxSecretKey,
    pub(crate) public: BoxPublicKey,
    shared: SharedSecrets,
}

impl OwnBox {
    pub(crate) fn new(secret: BoxSecretKey) -> Self {
        Self {
            public: secret.public_key(),
            secret,
            shared: SharedSecrets::default(),
        }
    }

    pub(crate) fn secret(&self) -> &BoxSecretKey {
        &self.secret
    }

    pub(crate) fn shared_with(&self, key: &BoxPublicKey) -> Arc<SharedSecret> {
        self.shared.with(&self.secret, key)
    }
}

/// One that was in force, and until when.
#[derive(Clone)]
pub(crate) struct RetiredBox {
    pub(crate) boxed: Arc<OwnBox>,
    pub(crate) retired_ms: u64,
}

/// What a call takes hold of once, so that all of it fits together.
pub struct Identity {
    pub account: Account,
    /// As it was published; none in a database that knew of no such thing.
    pub(crate) bundle: Option<Arc<wire::SignedKeyBundle>>,
    sign_key: Arc<SignSecretKey>,
    boxed: Arc<OwnBox>,
    /// Newest first.
    retired: Vec<RetiredBox>,
}

impl Identity {
    pub(crate) fn new(
        bundle: Option<Arc<wire::SignedKeyBundle>>,
        account: Account,
        sign_key: SignSecretKey,
        box_key: BoxSecretKey,
        retired: Vec<BoxSecretKey>,
        retired_ms: &BTreeMap<BoxPublicKey, u64>,
    ) -> Self {
        let retired = retired.into_iter().map(|key| {
            let boxed = Arc::new(OwnBox::new(key));
            RetiredBox {
                retired_ms: retired_ms.get(&boxed.public).copied().unwrap_or(0),
                boxed,
            }
        });
        Self {
            account,
            bundle,
            sign_key: Arc::new(sign_key),
            boxed: Arc::new(OwnBox::new(box_key)),
            retired: retired.collect(),
        }
    }

    /// The same keys under another profile.
    pub(crate) fn with_account(&self, account: Account) -> Self {
        Self {
            account,
            bundle: self.bundle.clone(),
            sign_key: Arc::clone(&self.sign_key),
            boxed: Arc::clone(&self.boxed),
            retired: self.retired.clone(),
        }
    }

    /// Other keys in force; the Box Key before them still opens what is sealed to it.
    pub(crate) fn rotated(
        &self,
        account: Account,
        bundle: wire::SignedKeyBundle,
        sign_key: Arc<SignSecretKey>,
        boxed: Arc<OwnBox>,
        now_ms: u64,
    ) -> Self {
        let mut retired = vec![RetiredBox {
            boxed: Arc::clone(&self.boxed),
            retired_ms: now_ms,
        }];
        retired.extend_from_slice(&self.retired);
        Self {
            account,
            bundle: Some(Arc::new(bundle)),
            sign_key,
            boxed,
            retired,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        self.credentials_under(&self.sign_key)
    }

    pub(crate) fn credentials_under<'a>(&'a self, sign_key: &'a SignSecretKey) -> Credentials<'a> {
        Credentials {
            user_id: &self.account.user_id,
            sign_key,
        }
    }

    pub(crate) fn sign_key(&self) -> &SignSecretKey {
        &self.sign_key
    }

    pub(crate) fn boxed(&self) -> &OwnBox {
        &self.boxed
    }

    /// What the bundle in force is called by its successor and in the relay's statements.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.bundle.as_deref().map(bundle::digest)
    }

    /// The Box Key that an envelope was sealed to, and when it was retired. One that names none is for the key in force.
    pub(crate) fn box_for(&self, hint: Option<KeyId>) -> Option<(&OwnBox, Option<u64>)> {
        let in_force = (&*self.boxed, None);
        let Some(hint) = hint else {
            return Some(in_force);
        };
        if self.boxed.public.key_id() == hint {
            return Some(in_force);
        }
        let retired = self.retired.iter();
        retired
            .map(|retired| (&*retired.boxed, Some(retired.retired_ms)))
            .find(|(boxed, _)| boxed.public.key_id() == hint)
    }

    pub fn user_id(&self) -> &UserId {
        &self.account.user_id
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}
