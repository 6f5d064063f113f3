"""Patient cases (§3.6, §8.2.3, D16): keys come and go in boxes, entries under them; what comes too early waits."""

import os

import connect_pb2 as pb

from connect_peer import attachments, entries, rosters
from connect_peer.case import Case
from connect_peer.refused import Refused
from connect_peer.rosters import digest, users

# What may come right by something that comes later: a key, or what it follows on.
WAITING = ("unknown_case", "unknown_epoch", "cannot_open", "unknown_revision")


class Cases:
    def __init__(self, client):
        self.client = client
        self.cases = {}
        self.waiting = []
        self.histories = []  # (case id, who sent it, where it lies)

    def get(self, case_id):
        case = self.cases.get(case_id)
        if case is None or case.control is None:
            raise Refused("unknown_case")
        return case

    def create(self, title, participants, reference=""):
        me = self.client.identity.user_id
        case = Case(os.urandom(16))
        control = pb.CaseControl(
            revision=1,
            title=title,
            patient_reference=reference,
            roster=rosters.roster([me, *participants], {me}),
            epoch=1,
        )
        case.keys.append((1, os.urandom(32), me))
        self.cases[case.case_id] = case
        self.share(case, control, users(control))
        return case.case_id, self.write(case, case_control=control)

    def add(self, case_id, user):
        """A late joiner gets every key and all that was written before."""
        case = self.get(case_id)
        control = self.next(case, users(case.control) | {user})
        log = pb.CaseLog(entries=[sealed for sealed, _ in case.log]).SerializeToString()
        history, chunks = attachments.seal(log, media_type="application/octet-stream")
        attachments.put(self.client.relay, self.client.identity, history, chunks, [user])
        self.share(case, control, {user}, history)
        return self.write(case, case_control=control)

    def remove(self, case_id, user):
        """What is written after it is sealed under a key that those who remain share."""
        case = self.get(case_id)
        control = self.next(case, users(case.control) - {user})
        control.epoch += 1
        case.keys.append((control.epoch, os.urandom(32), self.client.identity.user_id))
        self.share(case, control, users(control))
        return self.write(case, case_control=control)

    def next(self, case, people):
        control = pb.CaseControl()
        control.CopyFrom(case.control)
        control.revision += 1
        control.previous_digest = digest(case.control)
        del control.roster[:]
        control.roster.extend(rosters.roster(people, rosters.admins(case.control)))
        return control

    def share(self, case, control, people, history=None):
        keys = [pb.EpochKey(epoch=epoch, key=key) for epoch, key, _ in sorted(case.keys, key=lambda it: it[0])]
        said = pb.CaseKeyShare(case_id=case.case_id, keys=keys, control_digest=digest(control), history=history)
        for user in sorted(people - {self.client.identity.user_id}):
            self.client.say(user, case_key_share=said)

    def set_field(self, case_id, name, value):
        case = self.get(case_id)
        _, before = case.newest(name)
        field = pb.CaseField(
            name=name,
            revision=before.revision + 1 if before else 1,
            previous_digest=digest(before) if before else b"",
            media_type="text/plain",
            value=value.encode(),
        )
        return self.write(case, case_field=field)

    def say(self, case_id, purpose="case", **payload):
        return self.write(self.get(case_id), purpose, **payload)

    def write(self, case, purpose="case", **payload):
        """Under the revision in force; what follows on it is too, and goes to all who are in either."""
        identity = self.client.identity
        under = case.control or payload["case_control"]
        draft = self.client.draft(f"case/{case.case_id.hex()}", **payload)
        draft |= {"roster_digest": digest(case.control) if case.control else b"", "purpose": purpose}
        readers = users(under) | users(payload.get("case_control", under))
        readers = sorted(readers - {identity.user_id})
        key = case.key_to_write(under.epoch)
        envelope, inner = entries.seal(identity, case.case_id, under.epoch, key, draft, readers)
        answer = self.client.post(envelope)
        if purpose == "case":
            case.take(envelope.case_sealed, inner)
        return answer

    def take_share(self, sender, share):
        case = self.cases.setdefault(share.case_id, Case(share.case_id))
        case.add_keys(sender, share)
        if share.HasField("history"):
            self.histories.append((share.case_id, sender, share.history))

    def take(self, envelope):
        """The Inner of an entry that came, and whether it had come before."""
        sealed = envelope.case_sealed
        if self.client.identity.user_id not in sealed.recipient_ids:
            raise Refused("not_addressed_to_me")
        case = self.cases.get(sealed.case_id)
        if case is None:
            raise Refused("unknown_case")
        inner = entries.open_sealed(sealed, case.keys_of(sealed.epoch), self.client.bundles)
        entries.check_envelope(envelope, inner)
        again = case.has(inner)
        if not again:
            case.take(sealed, inner)
        return inner, again

    def fetch_histories(self):
        """Those of whoever brought this user in, once that is known."""
        for one in list(self.histories):
            case_id, sender, history = one
            case = self.cases[case_id]
            if case.control is None:
                continue
            self.histories.remove(one)
            if case.brought_in_by == sender:
                self.cases[case_id] = case.with_past(self.read_history(case, history))

    def read_history(self, case, history):
        log = pb.CaseLog.FromString(attachments.fetch(self.client.relay, self.client.identity, history))
        past = []
        for sealed in log.entries:
            try:
                past.append((sealed, entries.open_sealed(sealed, case.keys_of(sealed.epoch), self.client.bundles)))
            except Refused:
                case.left_out += 1
        return past
