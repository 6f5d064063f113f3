"""Groups (§8.2.1, D17): rosters that an admin writes to all members, and a box for everybody in one's own."""

import os

import connect_pb2 as pb

from connect_peer import messages, rosters
from connect_peer.refused import Refused
from connect_peer.rosters import admins, digest, users


class Groups:
    def __init__(self, client):
        self.client = client
        self.revisions = {}  # by group id: every revision that was in force, the newest last

    def current(self, group_id):
        if group_id not in self.revisions:
            raise Refused("unknown_group")
        return self.revisions[group_id][-1]

    def create(self, name, members):
        me = self.client.identity.user_id
        group_id = os.urandom(16)
        control = pb.GroupControl(revision=1, name=name, roster=rosters.roster([me, *members], {me}))
        return group_id, self.announce(group_id, control, users(control))

    def change(self, group_id, add=(), remove=()):
        before = self.current(group_id)
        control = pb.GroupControl(
            revision=before.revision + 1,
            previous_digest=digest(before),
            name=before.name,
            roster=rosters.roster((users(before) | set(add)) - set(remove), admins(before)),
        )
        return self.announce(group_id, control, users(before) | users(control))

    def announce(self, group_id, control, to):
        """To all who are in it by the new revision, and to those who are not any more. It names itself as the roster."""
        self.take_control(group_id, self.client.identity.user_id, control)
        return self.send(group_id, to, group_control=control)

    def say(self, group_id, **payload):
        return self.send(group_id, users(self.current(group_id)), **payload)

    def others(self, group_id):
        return sorted(users(self.current(group_id)) - {self.client.identity.user_id})

    def send(self, group_id, to, **payload):
        client = self.client
        draft = client.draft(f"group/{group_id.hex()}", **payload)
        draft |= {"group_id": group_id, "roster_digest": digest(self.current(group_id))}
        others = sorted(to - {client.identity.user_id})
        recipients = [(user, client.active(user).box_public_key) for user in others]
        return client.post(messages.seal(client.identity, draft, recipients, {}))

    def take(self, inner):
        """What is told of a message in a group, besides what it says."""
        if inner.HasField("group_control"):
            self.take_control(inner.group_id, inner.sender_id, inner.group_control)
        current = self.current(inner.group_id)
        # What was on its way when its author was taken off names a roster that had them.
        named = [it for it in self.revisions[inner.group_id] if digest(it) == inner.roster_digest]
        if not any(inner.sender_id in users(it) for it in [current, *named]):
            raise Refused("not_a_member")
        same_roster = inner.roster_digest == digest(current)
        return {"group": inner.group_id.hex(), "revision": current.revision, "same_roster": same_roster}

    def take_control(self, group_id, author, control):
        rosters.check(control)
        revisions = self.revisions.get(group_id, [])
        if control in revisions:
            return
        if revisions:
            before = revisions[-1]
            if (control.revision, control.previous_digest) != (before.revision + 1, digest(before)):
                raise Refused("roster_out_of_chain")
            leaves = users(before) - users(control) == {author} and control.name == before.name
            if author not in admins(before) and not leaves:
                raise Refused("not_an_admin")
        elif author not in admins(control) or self.client.identity.user_id not in users(control):
            raise Refused("not_an_admin")
        self.revisions[group_id] = [*revisions, control]

    def shown(self, group_id):
        control = self.current(group_id)
        return {
            "name": control.name,
            "revision": control.revision,
            "digest": digest(control).hex(),
            "members": rosters.shown(control),
        }

    def state(self):
        return {
            group_id.hex(): [control.SerializeToString().hex() for control in revisions]
            for group_id, revisions in self.revisions.items()
        }

    def restore(self, state):
        for group_id, revisions in state.items():
            controls = [pb.GroupControl.FromString(bytes.fromhex(control)) for control in revisions]
            self.revisions[bytes.fromhex(group_id)] = controls
