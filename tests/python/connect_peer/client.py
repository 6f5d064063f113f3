"""A user of the messenger: enrolls, looks others up, sends, receives and acknowledges."""

import os

import connect_pb2 as pb

from connect_peer import keys, memory, messages
from connect_peer import relay as calls
from connect_peer.cases import Cases
from connect_peer.groups import Groups
from connect_peer.inbox import Inbox
from connect_peer.keys import Identity
from connect_peer.refused import Refused


class Client:
    def __init__(self, relay, identity):
        self.relay = relay
        self.identity = identity
        self.sequences = {}
        self.inbox = Inbox(self)
        self.groups = Groups(self)
        self.cases = Cases(self)

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

    def draft(self, conversation, **payload):
        """Its number is the next one in the conversation (D13)."""
        self.sequences[conversation] = self.sequences.get(conversation, 0) + 1
        return {
            "message_id": os.urandom(16),
            "timestamp_ms": self.relay.clock.now_ms(),
            "sequence": self.sequences[conversation],
            "payload": payload,
        }

    def sealed(self, to, inside=None, **payload):
        """An envelope; `inside` makes its Inner, for mischief, other than the envelope says."""
        recipient = to, self.active(to).box_public_key
        return messages.seal(self.identity, self.draft(to, **payload), [recipient], inside or {})

    def say(self, to, **payload):
        return self.post(self.sealed(to, **payload))

    def post(self, envelope):
        body = envelope.SerializeToString()
        status, _ = self.relay.post(calls.SEND, self.relay.sign(self.identity, calls.SEND, body), body)
        return {"message_id": envelope.message_id.hex(), "timestamp_ms": envelope.timestamp_ms, "status": status}

    def state(self):
        return {
            "identity": self.identity.state(),
            "sequences": self.sequences,
            "inbox": self.inbox.state(),
            "groups": self.groups.state(),
            "cases": memory.of_cases(self.cases),
        }

    @classmethod
    def from_state(cls, relay, state):
        client = cls(relay, Identity.from_state(state["identity"]))
        client.sequences = state["sequences"]
        client.inbox.restore(state["inbox"])
        client.groups.restore(state["groups"])
        memory.restore_cases(client.cases, state["cases"])
        return client
