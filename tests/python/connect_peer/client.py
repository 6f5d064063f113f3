"""A user of the messenger: enrolls, looks others up, sends, receives and acknowledges."""

import os

import connect_pb2 as pb

from connect_peer import keys, messages
from connect_peer.keys import Identity
from connect_peer.refused import Refused


class Client:
    def __init__(self, relay, identity):
        self.relay = relay
        self.identity = identity
        self.sequences = {}
        self.acks = []
        self.seen = set()

    def enroll(self, code, name, replace=False, box_public=None):
        profile = pb.Profile(display_name=name)
        bundle = self.identity.bundle(self.relay.clock.now_ms(), box_public)
        response = self.relay.enroll(self.identity, code, profile, bundle, replace)
        mine = keys.open_bundle(response.entry.keys[0].bundle, self.identity.user_id)
        if mine.box_public_key != self.identity.box_public:
            raise Refused("the relay published another key")
        return response

    def bundles(self, user_id):
        """(state, bundle) of a user's published keys, newest first, each verified."""
        entries = self.relay.lookup(self.identity, [user_id])
        published = [key for entry in entries if entry.user_id == user_id for key in entry.keys]
        return [(key.state, keys.open_bundle(key.bundle, user_id)) for key in published]

    def active(self, user_id):
        for state, bundle in self.bundles(user_id):
            if state == pb.KEY_ACTIVE:
                return bundle
        raise Refused("unknown_recipient")

    def fingerprint(self, user_id):
        theirs = self.active(user_id)
        ours = self.identity
        one = keys.fingerprint(ours.box_public, ours.sign_public, ours.user_id)
        other = keys.fingerprint(theirs.box_public_key, theirs.sign_public_key, user_id)
        return {"own": one, "theirs": other, "digits": keys.safety_number(one, other)}

    def draft(self, to, text):
        self.sequences[to] = self.sequences.get(to, 0) + 1
        return {
            "message_id": os.urandom(16),
            "timestamp_ms": self.relay.clock.now_ms(),
            "sequence": self.sequences[to],
            "text": text,
        }

    def sealed(self, to, text, inside=None):
        """An envelope; `inside` makes its Inner, for mischief, other than the envelope says."""
        recipient = to, self.active(to).box_public_key
        return messages.seal(self.identity, self.draft(to, text), [recipient], inside or {})

    def receive(self, wait_ms):
        """What has come. It is acknowledged by the next receive, as in connectd (D19)."""
        received = self.relay.receive(self.identity, self.acks, wait_ms)
        self.acks = []
        return [self.read(envelope) for envelope in received.envelopes]

    def read(self, envelope):
        self.acks.append(
            pb.AckEntry(
                queue_seq=envelope.queue_seq,
                message_id=envelope.message_id,
                timestamp_ms=envelope.timestamp_ms,
            )
        )
        about = {"queue_seq": envelope.queue_seq, "message_id": envelope.message_id.hex()}
        for kind in ("contact_update", "bounce"):
            if envelope.HasField(kind):
                return {**about, "kind": kind}
        about["from"] = envelope.sender_id
        try:
            known = [bundle.box_public_key for _, bundle in self.bundles(envelope.sender_id)]
            inner = messages.open_envelope(self.identity, envelope, known)
        except Refused as refused:
            return {**about, "kind": "refused", "reason": str(refused)}
        about["again"] = (envelope.sender_id, envelope.message_id) in self.seen
        self.seen.add((envelope.sender_id, envelope.message_id))
        about |= {"kind": inner.WhichOneof("payload"), "sequence": inner.sequence, "timestamp_ms": inner.timestamp_ms}
        if inner.HasField("text"):
            about["text"] = inner.text.body
        return about

    def state(self):
        return {
            "identity": self.identity.state(),
            "sequences": self.sequences,
            "acks": [entry.SerializeToString().hex() for entry in self.acks],
            "seen": sorted([sender, message_id.hex()] for sender, message_id in self.seen),
        }

    @classmethod
    def from_state(cls, relay, state):
        client = cls(relay, Identity.from_state(state["identity"]))
        client.sequences = state["sequences"]
        client.acks = [pb.AckEntry.FromString(bytes.fromhex(entry)) for entry in state["acks"]]
        client.seen = {(sender, bytes.fromhex(message_id)) for sender, message_id in state["seen"]}
        return client
