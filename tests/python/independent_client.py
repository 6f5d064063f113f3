"""An independent client of the relay: a command in JSON on each line of its input, an answer in JSON for each.

{"cmd": "init", "relay": "https://127.0.0.1:PORT", "ca": PATH, "user": ID}         optional "state": PATH, kept there; "now_ms"
{"cmd": "clock", "now_ms": N}                                                      holds the clock there
{"cmd": "enroll", "code": "user/SECRET", "name": NAME}                             optional "replace", "box_key" (hex)
{"cmd": "lookup", "user": ID}            → {"keys": [{"state", "revision", "box_key", "sign_key", "key_id"}]}
{"cmd": "send", "to": ID, "text": TEXT}  → {"message_id", "status"}                optional "inside", "outside": FIELD,
                                                                                   "as": ID, "again": true
{"cmd": "receive", "wait_ms": N}         → {"messages": [{"kind", "from", "text", "message_id", "sequence", …}]}
{"cmd": "fingerprint", "user": ID}       → {"own", "theirs", "digits"}
{"cmd": "mischief", "kind": KIND}        → {"statuses": [N, …]}
and what connect_peer/shared_commands.py says of attachments, groups and cases.
Whatever goes wrong is answered with {"error": REASON, …}, and the next command is read.
"""

import json
import os
import sys

import connect_pb2 as pb
from connect_peer import mischief, shared_commands
from connect_peer.client import Client
from connect_peer.clock import Clock
from connect_peer.keys import Identity, key_id
from connect_peer.refused import Answered, Refused
from connect_peer.relay import Relay
from connect_peer.shared_commands import SharedCommands

STATES = ("active", "replaced", "revoked", "compromised")


class Commands(SharedCommands):
    def __init__(self):
        self.client = None
        self.state_path = None
        self.last_envelope = None

    def init(self, relay, ca, user, state=None, now_ms=None):
        self.state_path = state
        relay = Relay(relay, ca, Clock(now_ms))
        if state and os.path.exists(state):
            with open(state, encoding="utf-8") as file:
                self.client = Client.from_state(relay, json.load(file))
        else:
            self.client = Client(relay, Identity(user))
        return self.own_keys()

    def clock(self, now_ms):
        self.client.relay.clock.held_ms = now_ms
        return {}

    def enroll(self, code, name, replace=False, box_key=None):
        box_public = bytes.fromhex(box_key) if box_key is not None else None
        response = self.client.enroll(code, name, replace, box_public)
        return {**self.own_keys(), "operations_key": response.operations_public_key.hex()}

    def own_keys(self):
        identity = self.client.identity
        return {
            "user": identity.user_id,
            "box_key": identity.box_public.hex(),
            "sign_key": identity.sign_public.hex(),
            "key_id": key_id(identity.box_public).hex(),
        }

    def lookup(self, user):
        return {
            "keys": [
                {
                    "state": STATES[state],
                    "revision": bundle.revision,
                    "box_key": bundle.box_public_key.hex(),
                    "sign_key": bundle.sign_public_key.hex(),
                    "key_id": key_id(bundle.box_public_key).hex(),
                }
                for state, bundle in self.client.bundles(user)
            ]
        }

    def send(self, to, text, inside=None, outside=None, again=False, **options):
        if again:
            envelope = self.last_envelope
        else:
            changes = {inside: mischief.tampered_inner(self.client, to, inside)} if inside else {}
            envelope = self.client.sealed(to, inside=changes, text=pb.Text(body=text))
        if outside:
            mischief.tamper_outside(envelope, outside)
        if "as" in options:
            envelope.sender_id = options["as"]
        self.last_envelope = envelope
        return self.client.post(envelope)

    def receive(self, wait_ms=0):
        return {"messages": self.client.inbox.receive(wait_ms)}

    def fingerprint(self, user):
        return self.client.fingerprint(user)

    def mischief(self, kind):
        return {"statuses": mischief.request(self.client, kind)}

    def keep(self):
        if self.state_path and self.client:
            unfinished = self.state_path + ".unfinished"
            with open(unfinished, "w", encoding="utf-8") as file:
                json.dump(self.client.state(), file)
            os.replace(unfinished, self.state_path)


COMMANDS = ("init", "clock", "enroll", "lookup", "send", "receive", "fingerprint", "mischief", *shared_commands.COMMANDS)


def answer(commands, question):
    command = question.pop("cmd")
    if command not in COMMANDS:
        return {"error": "unknown_command"}
    try:
        answered = getattr(commands, command)(**question)
        commands.keep()
        return answered
    except Refused as refused:
        return {"error": str(refused)}
    except Answered as answered:
        return {"error": "relay", "status": answered.status}
    except OSError as error:
        return {"error": "connection", "detail": str(error)}


def main():
    commands = Commands()
    for line in sys.stdin:
        print(json.dumps(answer(commands, json.loads(line))), flush=True)


main()
