"""Messages: padding (D6), what is bound to what (D7), boxes (D1, D3)."""

import os

import connect_pb2 as pb
from nacl import bindings
from nacl.exceptions import CryptoError

from connect_peer.keys import key_id
from connect_peer.refused import Refused

STEP = 8 * 1024
LONGEST = 64 * 1024


def padded_length(needed):
    if needed > STEP:
        return -(-needed // STEP) * STEP
    length = 512
    while length < needed:
        length *= 2
    return length


def pad(content):
    length = padded_length(len(content) + 1)
    if length > LONGEST:
        raise Refused("too_long")
    return (content + b"\x80").ljust(length, b"\0")


def unpad(padded):
    content = padded.rstrip(b"\0")
    if not content.endswith(b"\x80") or padded_length(len(padded)) != len(padded) or len(padded) > LONGEST:
        raise Refused("bad_padding")
    return content[:-1]


def seal(sender, draft, recipients, tamper):
    """One envelope for all recipients (D18).

    `recipients` are (user id, box key). `tamper` holds, for mischief, fields of Inner that differ from the envelope.
    """
    envelope = pb.Envelope(
        message_id=draft["message_id"],
        timestamp_ms=draft["timestamp_ms"],
        sender_id=sender.user_id,
        group_id=draft.get("group_id", b""),
    )
    for user_id, box_public in recipients:
        inner = pb.Inner(
            version=1,
            message_id=envelope.message_id,
            timestamp_ms=envelope.timestamp_ms,
            sender_id=sender.user_id,
            sender_box_key=sender.box_public,
            recipient_id=user_id,
            recipient_box_key=box_public,
            group_id=envelope.group_id,
            installation_id=sender.installation_id,
            sequence=draft["sequence"],
            roster_digest=draft.get("roster_digest", b""),
            **draft["payload"],
        )
        for field, value in tamper.items():
            setattr(inner, field, value)
        nonce = os.urandom(24)
        box = bindings.crypto_box(pad(inner.SerializeToString()), nonce, box_public, sender.box_secret)
        envelope.sealed.add(
            recipient_id=user_id,
            sender_key_id=key_id(sender.box_public),
            recipient_key_id=key_id(box_public),
            nonce=nonce,
            box=box,
        )
    return envelope


def open_envelope(reader, envelope, sender_box_keys):
    """The Inner of an envelope for this reader, held against what is outside."""
    mine = [sealed for sealed in envelope.sealed if sealed.recipient_id == reader.user_id]
    if len(mine) != 1:
        raise Refused("not_addressed_to_me")
    sealed = mine[0]
    if len(sealed.nonce) != 24:
        raise Refused("bad_nonce")
    if sealed.recipient_key_id and sealed.recipient_key_id != key_id(reader.box_public):
        raise Refused("unknown_recipient_key")
    keys = [key for key in sender_box_keys if sealed.sender_key_id in (b"", key_id(key))]
    for sender_key in keys:
        try:
            padded = bindings.crypto_box_open(sealed.box, sealed.nonce, sender_key, reader.box_secret)
        except CryptoError:
            continue
        inner = pb.Inner.FromString(unpad(padded))
        check_bindings(reader, envelope, sender_key, inner)
        return inner
    raise Refused("cannot_open" if keys else "unknown_sender_key")


def check_bindings(reader, envelope, sender_key, inner):
    bound = {
        "message_id": envelope.message_id,
        "timestamp_ms": envelope.timestamp_ms,
        "sender_id": envelope.sender_id,
        "sender_box_key": sender_key,
        "recipient_id": reader.user_id,
        "recipient_box_key": reader.box_public,
        "group_id": envelope.group_id,
        "case_id": b"",
        "case_epoch": 0,
    }
    if inner.version != 1:
        raise Refused("unsupported_version")
    if any(getattr(inner, field) != outside for field, outside in bound.items()):
        raise Refused("binding_mismatch")
