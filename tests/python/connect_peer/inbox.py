"""What comes in: opened, told, given to the group or case that it belongs to, and acknowledged."""

import connect_pb2 as pb

from connect_peer import attachments, memory, messages
from connect_peer.cases import WAITING
from connect_peer.refused import Refused


class Inbox:
    def __init__(self, client):
        self.client = client
        self.acks = []
        self.seen = set()
        self.attachments = {}  # what was said of each, by its id in hex

    def receive(self, wait_ms):
        """What has come. It is acknowledged by the next receive, as in connectd (D19)."""
        received = self.client.relay.receive(self.client.identity, self.acks, wait_ms)
        self.acks = [
            pb.AckEntry(queue_seq=it.queue_seq, message_id=it.message_id, timestamp_ms=it.timestamp_ms)
            for it in received.envelopes
        ]
        told = [self.read(envelope) for envelope in received.envelopes]
        told += self.look_again()
        self.client.cases.fetch_histories()
        return told

    def look_again(self):
        """What waited in cases, for as long as that brings something."""
        told, progress = [], True
        while progress:
            waiting, self.client.cases.waiting = self.client.cases.waiting, []
            again = [self.read(envelope) for envelope in waiting]
            came = [about for about in again if about["kind"] != "waiting"]
            told, progress = told + came, bool(came)
        return told

    def read(self, envelope):
        about = {"queue_seq": envelope.queue_seq, "message_id": envelope.message_id.hex()}
        for kind in ("contact_update", "bounce"):
            if envelope.HasField(kind):
                return {**about, "kind": kind}
        about["from"] = envelope.sender_id
        try:
            return about | (self.read_case(envelope) if envelope.HasField("case_sealed") else self.read_box(envelope))
        except Refused as refused:
            return {**about, "kind": "refused", "reason": str(refused)}

    def read_case(self, envelope):
        try:
            inner, again = self.client.cases.take(envelope)
        except Refused as refused:
            if str(refused) not in WAITING:
                raise
            self.client.cases.waiting.append(envelope)
            return {"kind": "waiting", "reason": str(refused)}
        return self.told(inner) | {"again": again, "case": inner.case_id.hex(), "epoch": inner.case_epoch}

    def read_box(self, envelope):
        known = [bundle.box_public_key for _, bundle in self.client.bundles(envelope.sender_id)]
        inner = messages.open_envelope(self.client.identity, envelope, known)
        again = (envelope.sender_id, envelope.message_id) in self.seen
        self.seen.add((envelope.sender_id, envelope.message_id))
        about = self.told(inner) | {"again": again}
        if inner.group_id:
            about |= self.client.groups.take(inner)
        if inner.HasField("case_key_share"):
            self.client.cases.take_share(inner.sender_id, inner.case_key_share)
        return about

    def told(self, inner):
        kind = inner.WhichOneof("payload")
        about = {"kind": kind, "sequence": inner.sequence, "timestamp_ms": inner.timestamp_ms}
        if kind == "text":
            about["text"] = inner.text.body
        elif kind == "attachment":
            self.attachments[inner.attachment.attachment_id.hex()] = inner.attachment
            about |= attachments.shown(inner.attachment)
        return about

    def state(self):
        return {
            "acks": [memory.encoded(entry) for entry in self.acks],
            "seen": sorted([sender, message_id.hex()] for sender, message_id in self.seen),
            "attachments": [memory.encoded(said) for said in self.attachments.values()],
        }

    def restore(self, state):
        self.acks = [memory.decoded(pb.AckEntry, entry) for entry in state["acks"]]
        self.seen = {(sender, bytes.fromhex(message_id)) for sender, message_id in state["seen"]}
        said = [memory.decoded(pb.Attachment, it) for it in state["attachments"]]
        self.attachments = {it.attachment_id.hex(): it for it in said}
