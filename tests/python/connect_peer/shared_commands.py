"""The commands about what is shared: attachments, groups and cases. Ids are hex; files are read and written by path.

A place is one of "to": USER, "group": ID, "case": ID.

{"cmd": "say", PLACE, "text": TEXT}               → {"message_id", "status"}      optional, in a case, "purpose": what is signed for
{"cmd": "attach", PLACE, "path": PATH, "filename": NAME, "media_type": TYPE}
                                                  → {"message_id", "status", "attachment_id", …}
                                                    optional "caption", "mischief": "swapped" | "truncated" | "another_digest"
{"cmd": "fetch", "attachment": ID, "path": PATH}  → {"size", "chunk_count", …}    writes what was received
{"cmd": "create_group", "name": NAME, "members": [USER, …]}                     → {"group", "status"}
{"cmd": "change_group", "group": ID}              → {"status"}                    optional "add", "remove": [USER, …]
{"cmd": "group", "group": ID}                     → {"name", "revision", "digest", "members": [{"user", "role"}]}
{"cmd": "create_case", "title": T, "participants": [USER, …], "reference": R}   → {"case", "status"}
{"cmd": "add_to_case" | "remove_from_case", "case": ID, "user": USER}           → {"status"}
{"cmd": "set_field", "case": ID, "name": NAME, "value": TEXT}                   → {"status"}
{"cmd": "case", "case": ID}                       → {"title", "fields", "texts", "revision", "epoch", …}
"""

import connect_pb2 as pb

from connect_peer import attachments, rosters
from connect_peer.refused import Refused

COMMANDS = (
    "say", "attach", "fetch", "create_group", "change_group", "group",
    "create_case", "add_to_case", "remove_from_case", "set_field", "case",
)


class SharedCommands:
    client = None

    def say(self, text, **place):
        return self.said(place, text=pb.Text(body=text))

    def said(self, place, **payload):
        """Says something to a user, or in a group or case."""
        if "group" in place:
            return self.client.groups.say(bytes.fromhex(place["group"]), **payload)
        if "case" in place:
            purpose = place.get("purpose", "case")
            return self.client.cases.say(bytes.fromhex(place["case"]), purpose, **payload)
        return self.client.say(place["to"], **payload)

    def readers(self, place):
        if "group" in place:
            return self.client.groups.others(bytes.fromhex(place["group"]))
        if "case" in place:
            control = self.client.cases.get(bytes.fromhex(place["case"])).control
            return sorted(rosters.users(control) - {self.client.identity.user_id})
        return [place["to"]]

    def attach(self, path, filename, media_type, caption="", mischief=None, **place):
        with open(path, "rb") as file:
            content = file.read()
        about = {"filename": filename, "media_type": media_type, "caption": caption}
        said, chunks = attachments.seal(content, **about)
        attachments.spoil(said, chunks, mischief)
        attachments.put(self.client.relay, self.client.identity, said, chunks, self.readers(place))
        return attachments.shown(said) | self.said(place, attachment=said)

    def fetch(self, attachment, path):
        said = self.client.inbox.attachments.get(attachment)
        if said is None:
            raise Refused("unknown_attachment")
        content = attachments.fetch(self.client.relay, self.client.identity, said)
        with open(path, "wb") as file:
            file.write(content)
        return attachments.shown(said)

    def create_group(self, name, members):
        group_id, answer = self.client.groups.create(name, members)
        return answer | {"group": group_id.hex()}

    def change_group(self, group, add=(), remove=()):
        return self.client.groups.change(bytes.fromhex(group), add, remove)

    def group(self, group):
        return self.client.groups.shown(bytes.fromhex(group))

    def create_case(self, title, participants, reference=""):
        case_id, answer = self.client.cases.create(title, participants, reference)
        return answer | {"case": case_id.hex()}

    def add_to_case(self, case, user):
        return self.client.cases.add(bytes.fromhex(case), user)

    def remove_from_case(self, case, user):
        return self.client.cases.remove(bytes.fromhex(case), user)

    def set_field(self, case, name, value):
        return self.client.cases.set_field(bytes.fromhex(case), name, value)

    def case(self, case):
        return self.client.cases.get(bytes.fromhex(case)).shown()
