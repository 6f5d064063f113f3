"""Keys, key ids (D11), bundles (D9, D10) and fingerprints (D26)."""

import hashlib
import os

import connect_pb2 as pb
from nacl import bindings
from nacl.exceptions import BadSignatureError

from connect_peer import gate
from connect_peer.refused import Refused


class Identity:
    """One user's secret keys and installation."""

    def __init__(self, user_id, box_secret=None, sign_seed=None, installation_id=None):
        self.user_id = user_id
        self.box_secret = box_secret or os.urandom(32)
        self.sign_seed = sign_seed or os.urandom(32)
        self.installation_id = installation_id or os.urandom(8)
        self.box_public = bindings.crypto_scalarmult_base(self.box_secret)
        self.sign_public, self._sign_secret = bindings.crypto_sign_seed_keypair(self.sign_seed)

    def sign(self, data):
        return bindings.crypto_sign(data, self._sign_secret)[:64]

    def sign_for(self, purpose, data):
        return self.sign(purposed(purpose, data))

    def bundle(self, created_ms, box_public=None):
        """A first bundle, signed by itself; another box key than the own one only for mischief."""
        bundle = pb.KeyBundle(
            user_id=self.user_id,
            installation_id=self.installation_id,
            box_public_key=self.box_public if box_public is None else box_public,
            sign_public_key=self.sign_public,
            created_ms=created_ms,
            revision=1,
        ).SerializeToString()
        return pb.SignedKeyBundle(bundle=bundle, signature=self.sign_for("bundle", bundle))

    def state(self):
        return {
            "user_id": self.user_id,
            "box_secret": self.box_secret.hex(),
            "sign_seed": self.sign_seed.hex(),
            "installation_id": self.installation_id.hex(),
        }

    @classmethod
    def from_state(cls, state):
        secrets = (bytes.fromhex(state[name]) for name in ("box_secret", "sign_seed", "installation_id"))
        return cls(state["user_id"], *secrets)


def purposed(purpose, data):
    """No signature serves two purposes (D9)."""
    return b"\0connect/" + purpose.encode() + b"/v1\0" + data


def verify(purpose, data, signature, sign_public):
    if not gate.admits_sign_key(sign_public) or len(signature) != 64:
        raise Refused("bad_signature")
    try:
        bindings.crypto_sign_open(signature + purposed(purpose, data), sign_public)
    except BadSignatureError:
        raise Refused("bad_signature") from None


def key_id(public):
    return hashlib.sha256(b"connect/kid/v1" + public).digest()[:8]


def open_bundle(signed, user_id):
    """A published bundle, its user, sizes, keys and own signature checked."""
    bundle = pb.KeyBundle.FromString(signed.bundle)
    sizes = [len(bundle.installation_id), len(bundle.box_public_key), len(bundle.sign_public_key)]
    if bundle.user_id != user_id or sizes != [8, 32, 32] or bundle.revision == 0:
        raise Refused("bad_bundle")
    if (bundle.revision == 1) != (bundle.previous_digest == b""):
        raise Refused("bad_bundle")
    if not gate.admits_box_key(bundle.box_public_key):
        raise Refused("bad_key")
    verify("bundle", signed.bundle, signed.signature, bundle.sign_public_key)
    return bundle


def fingerprint(box_public, sign_public, user_id):
    """Thirty digits of one side: six groups of five."""
    digest = b"\0\1" + box_public + sign_public + user_id.encode()
    for _ in range(5200):
        digest = hashlib.sha512(digest).digest()
    groups = (digest[5 * group : 5 * group + 5] for group in range(6))
    return " ".join(f"{int.from_bytes(group, 'big') % 100_000:05}" for group in groups)


def safety_number(one, other):
    """Both sides' digits, the lower side first."""
    return " ".join(sorted((one, other)))
