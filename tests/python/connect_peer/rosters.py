"""What groups and cases have in common (D16, D17): who is in them, and revisions that name the one before by its digest."""

import hashlib

import connect_pb2 as pb

from connect_peer.refused import Refused


def digest(message):
    """SHA-256 over the encoding: fields in the order of their numbers, none that is empty."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).digest()


def roster(users, admins):
    """Sorted by user id, each once."""
    role = {True: pb.ROLE_ADMIN, False: pb.ROLE_MEMBER}
    return [pb.Member(user_id=user, role=role[user in admins]) for user in sorted(set(users))]


def users(control):
    return {member.user_id for member in control.roster}


def admins(control):
    return {member.user_id for member in control.roster if member.role == pb.ROLE_ADMIN}


def check(control):
    named = [member.user_id for member in control.roster]
    is_first = control.revision == 1
    if control.revision < 1 or is_first != (control.previous_digest == b"") or named != sorted(set(named)):
        raise Refused("malformed_payload")


def shown(control):
    in_charge = admins(control)
    role = {True: "admin", False: "member"}
    return [{"user": user, "role": role[user in in_charge]} for user in sorted(users(control))]
