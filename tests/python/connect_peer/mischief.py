"""What a hostile client would try, by name. The good ones answer to nobody: here only the relay's status counts."""

import os

import connect_pb2 as pb

from connect_peer import relay as calls


def tampered_inner(client, to, field):
    """Fields of Inner that repeat another envelope than the one that they travel in (D7)."""
    return {
        "version": 2,
        "message_id": os.urandom(16),
        "timestamp_ms": 1_500_000_000_000,
        "sender_id": to,
        "sender_box_key": os.urandom(32),
        "recipient_id": client.identity.user_id,
        "recipient_box_key": os.urandom(32),
        "group_id": os.urandom(16),
        "case_id": os.urandom(16),
        "case_epoch": 1,
        "installation_id": os.urandom(7),
        "sequence": 0,
    }[field]


def tamper_outside(envelope, field):
    """What a relay, or who rewrites an envelope before it is sent, could change without opening the box."""
    sealed = envelope.sealed[0]
    if field == "box":
        sealed.box = sealed.box[:-1] + bytes([sealed.box[-1] ^ 1])
    elif field == "nonce":
        sealed.nonce = sealed.nonce + bytes(8)
    elif field == "message_id":
        envelope.message_id = os.urandom(16)
    elif field == "timestamp_ms":
        envelope.timestamp_ms += 60_000
    elif field == "group_id":
        envelope.group_id = os.urandom(16)
    elif field == "sender_key_id":
        sealed.sender_key_id = os.urandom(8)
    elif field == "recipient_key_id":
        sealed.recipient_key_id = os.urandom(8)
    else:
        raise ValueError(field)


CHANGED_HEADERS = {
    "expired": lambda now_ms: {"timestamp": now_ms - 301_000},
    "ahead_of_time": lambda now_ms: {"timestamp": now_ms + 301_000},
    "wrong_path": lambda _: {"uri_path": calls.LOOKUP},
    "wrong_method": lambda _: {"method": "GET"},
    "wrong_authority": lambda _: {"authority": "relay.example.org:443"},
    "wrong_user": lambda _: {"user_id": "somebody-else"},
    "wrong_body": lambda _: {"body_sha256": bytes(32)},
    "short_nonce": lambda _: {"nonce": bytes(15)},
}


def request(client, kind):
    """The statuses of one receive that is not what it seems; the last one is what the mischief got."""
    relay, identity, path = client.relay, client.identity, calls.RECEIVE
    body = pb.Ack(limit=1).SerializeToString()
    changes = CHANGED_HEADERS[kind](relay.clock.now_ms()) if kind in CHANGED_HEADERS else None
    headers = relay.sign(identity, path, body, changes)
    if kind == "swapped_body":
        body = pb.Ack(limit=2).SerializeToString()
    elif kind == "unsigned":
        del headers["x-siilo-sig"]
    elif kind == "flipped_signature":
        first = headers["x-siilo-sig"][0]
        headers["x-siilo-sig"] = ("A" if first != "A" else "B") + headers["x-siilo-sig"][1:]
    elif kind == "other_user_header":
        headers["x-siilo-uid"] = "somebody-else"
    elif kind == "replay":
        return [relay.post(path, headers, body)[0], relay.post(path, headers, body)[0]]
    elif kind not in CHANGED_HEADERS:
        raise ValueError(kind)
    return [relay.post(path, headers, body)[0]]
