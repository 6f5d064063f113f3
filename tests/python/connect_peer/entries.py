"""Entries of patient cases (D14): signed by their author, inside the secretbox whose key all participants share."""

import os

import connect_pb2 as pb
from nacl import bindings
from nacl.exceptions import CryptoError

from connect_peer.keys import key_id, verify
from connect_peer.messages import pad, unpad
from connect_peer.refused import Refused


def seal(author, case_id, epoch, key, draft, readers):
    """The envelope, and the Inner that is signed in it."""
    inner = pb.Inner(
        version=1,
        message_id=draft["message_id"],
        timestamp_ms=draft["timestamp_ms"],
        sender_id=author.user_id,
        sender_box_key=author.box_public,
        case_id=case_id,
        case_epoch=epoch,
        installation_id=author.installation_id,
        sequence=draft["sequence"],
        roster_digest=draft["roster_digest"],
        **draft["payload"],
    )
    written = inner.SerializeToString()
    signed = pb.SignedInner(
        inner=written,
        sign_key_id=key_id(author.sign_public),
        signature=author.sign_for(draft.get("purpose", "case"), written),
    )
    nonce = os.urandom(24)
    envelope = pb.Envelope(
        message_id=draft["message_id"],
        timestamp_ms=draft["timestamp_ms"],
        sender_id=author.user_id,
        case_sealed=pb.CaseSealed(
            case_id=case_id,
            epoch=epoch,
            nonce=nonce,
            box=bindings.crypto_secretbox(pad(signed.SerializeToString()), nonce, key),
            recipient_ids=readers,
        ),
    )
    return envelope, inner


def open_sealed(sealed, keys, bundles_of):
    """The Inner of an entry, signed by the author whom it names. `bundles_of` gives the published keys of a user."""
    signed = pb.SignedInner.FromString(unpad(decrypt(sealed, keys)))
    inner = pb.Inner.FromString(signed.inner)
    if inner.version != 1:
        raise Refused("unsupported_version")
    for state, bundle in bundles_of(inner.sender_id):
        if key_id(bundle.sign_public_key) == signed.sign_key_id and state != pb.KEY_COMPROMISED:
            verify("case", signed.inner, signed.signature, bundle.sign_public_key)
            check_bindings(sealed, inner, bundle)
            return inner
    raise Refused("unknown_sender_key")


def decrypt(sealed, keys):
    if len(sealed.nonce) != 24:
        raise Refused("bad_nonce")
    for key in keys:
        try:
            return bindings.crypto_secretbox_open(sealed.box, sealed.nonce, key)
        except CryptoError:
            continue
    raise Refused("cannot_open" if keys else "unknown_epoch")


def check_bindings(sealed, inner, bundle):
    bound = {
        "sender_box_key": bundle.box_public_key,
        "recipient_id": "",
        "recipient_box_key": b"",
        "group_id": b"",
        "case_id": sealed.case_id,
        "case_epoch": sealed.epoch,
    }
    if any(getattr(inner, field) != outside for field, outside in bound.items()):
        raise Refused("binding_mismatch")


def check_envelope(envelope, inner):
    """What an entry of a CaseLog has not: an envelope that repeats it (D7)."""
    fields = ("message_id", "timestamp_ms", "sender_id")
    if any(getattr(inner, field) != getattr(envelope, field) for field in fields):
        raise Refused("binding_mismatch")
