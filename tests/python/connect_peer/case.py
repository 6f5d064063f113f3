"""A patient case as its entries make it, one after the other (D16)."""

from connect_peer import rosters
from connect_peer.refused import Refused
from connect_peer.rosters import digest, users


class Case:
    def __init__(self, case_id):
        self.case_id = case_id
        self.keys = []  # (epoch, key, who shared it)
        self.shared = []  # (digest of a revision, who shared keys with it)
        self.controls = {}  # by digest: (author, CaseControl)
        self.control = None  # the one in force
        self.brought_in_by = None  # whose word a late joiner has
        self.fields = {}  # by name, by digest: (author, CaseField)
        self.log = []  # (CaseSealed, Inner), in order
        self.left_out = 0

    def add_keys(self, sender, share):
        known = {(epoch, key) for epoch, key, _ in self.keys}
        fresh = [(one.epoch, one.key, sender) for one in share.keys if (one.epoch, one.key) not in known]
        self.keys += fresh
        self.shared.append((share.control_digest, sender))

    def keys_of(self, epoch):
        return [key for of, key, _ in self.keys if of == epoch]

    def key_to_write(self, epoch):
        """Of several the key of who began the epoch."""
        begun = sorted((c.revision, author) for author, c in self.controls.values() if c.epoch == epoch)
        theirs = [key for of, key, sender in self.keys if begun and (of, sender) == (epoch, begun[0][1])]
        return (theirs + self.keys_of(epoch))[0]

    def has(self, inner):
        return any((it.sender_id, it.message_id) == (inner.sender_id, inner.message_id) for _, it in self.log)

    def take(self, sealed, inner):
        """Holds an entry against what came before it."""
        if inner.HasField("case_control"):
            self.take_control(inner.sender_id, inner.case_control)
        else:
            self.check_author(inner)
        if inner.HasField("case_field"):
            self.take_field(inner.sender_id, inner.case_field)
        self.log.append((sealed, inner))

    def check_author(self, inner):
        if inner.roster_digest not in self.controls:
            raise Refused("unknown_revision")
        _, named = self.controls[inner.roster_digest]
        if inner.sender_id not in users(named):
            raise Refused("not_a_participant")
        if named.closed:
            raise Refused("case_closed")

    def take_control(self, author, control):
        rosters.check(control)
        if control.revision == 1:
            if control.epoch != 1 or author not in rosters.admins(control):
                raise Refused("not_allowed")
        elif control.previous_digest in self.controls:
            check_next(self.controls[control.previous_digest][1], author, control)
        elif self.control is None and (digest(control), author) in self.shared and author in users(control):
            self.brought_in_by = author
        else:
            raise Refused("unknown_revision")
        self.controls[digest(control)] = author, control
        # Of two at the same time everybody goes by the lower digest.
        if self.control is None or control.revision > self.control.revision or (
            control.revision == self.control.revision and digest(control) < digest(self.control)
        ):
            self.control = control

    def take_field(self, author, field):
        revisions = self.fields.setdefault(field.name, {})
        if field.revision > 1:
            _, before = revisions.get(field.previous_digest, (None, None))
            if before is None or before.revision + 1 != field.revision:
                raise Refused("unknown_revision")
        elif field.revision < 1 or field.previous_digest:
            raise Refused("malformed_payload")
        revisions[digest(field)] = author, field

    def newest(self, name):
        """Of two edits of one revision everybody takes the lower digest; the other stays beside it."""
        revisions = self.fields.get(name, {})
        ordered = sorted(revisions.values(), key=lambda it: (-it[1].revision, digest(it[1])))
        return ordered[0] if ordered else (None, None)

    def shown(self):
        control = self.control
        newest = {name: self.newest(name) for name in self.fields if self.fields[name]}
        texts = [inner for _, inner in self.log if inner.WhichOneof("payload") in ("text", "attachment")]
        return {
            "title": control.title,
            "patient_reference": control.patient_reference,
            "revision": control.revision,
            "epoch": control.epoch,
            "closed": control.closed,
            "participants": rosters.shown(control),
            "fields": {
                name: {"value": field.value.decode(), "revision": field.revision, "author": author}
                for name, (author, field) in newest.items()
            },
            "texts": [[inner.sender_id, inner.text.body or inner.attachment.caption] for inner in texts],
            "left_out": self.left_out,
        }

    def with_past(self, past):
        """The case told from its beginning: what was written before, then what came since. No word counts now, but the
        chain from the first revision to the one in force."""
        whole = Case(self.case_id)
        whole.keys, whole.left_out = self.keys, self.left_out
        for sealed, inner in past + self.log:
            try:
                if not whole.has(inner):
                    whole.take(sealed, inner)
            except Refused:
                whole.left_out += 1
        if whole.control != self.control:
            raise Refused("history_leads_elsewhere")
        return whole


def check_next(before, author, control):
    gone_by_others = users(before) - users(control) - {author}
    if control.revision != before.revision + 1:
        raise Refused("broken_control_chain")
    if before.closed:
        raise Refused("case_closed")
    if author not in users(before):
        raise Refused("not_a_participant")
    # Taking somebody out begins an epoch.
    epochs = [before.epoch + 1] if gone_by_others else [before.epoch, before.epoch + 1]
    if control.epoch not in epochs or (gone_by_others and author not in rosters.admins(before)):
        raise Refused("not_allowed")
