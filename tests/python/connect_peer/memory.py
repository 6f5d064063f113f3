"""What outlasts the process of cases: their keys and entries, from which they are told anew."""

import connect_pb2 as pb

from connect_peer.case import Case


def of_cases(cases):
    return {
        "cases": [of_case(case) for case in cases.cases.values()],
        "waiting": [encoded(envelope) for envelope in cases.waiting],
        "histories": [[case_id.hex(), sender, encoded(said)] for case_id, sender, said in cases.histories],
    }


def of_case(case):
    return {
        "case_id": case.case_id.hex(),
        "keys": [[epoch, key.hex(), sender] for epoch, key, sender in case.keys],
        "shared": [[control_digest.hex(), sender] for control_digest, sender in case.shared],
        "log": [[encoded(sealed), encoded(inner)] for sealed, inner in case.log],
        "left_out": case.left_out,
    }


def restore_cases(cases, state):
    for one in state["cases"]:
        case = restored(one)
        cases.cases[case.case_id] = case
    cases.waiting = [decoded(pb.Envelope, envelope) for envelope in state["waiting"]]
    cases.histories = [
        (bytes.fromhex(case_id), sender, decoded(pb.Attachment, said)) for case_id, sender, said in state["histories"]
    ]


def restored(state):
    case = Case(bytes.fromhex(state["case_id"]))
    case.keys = [(epoch, bytes.fromhex(key), sender) for epoch, key, sender in state["keys"]]
    case.shared = [(bytes.fromhex(control_digest), sender) for control_digest, sender in state["shared"]]
    for sealed, inner in state["log"]:
        case.take(decoded(pb.CaseSealed, sealed), decoded(pb.Inner, inner))
    case.left_out = state["left_out"]
    return case


def encoded(message):
    return message.SerializeToString().hex()


def decoded(kind, text):
    return kind.FromString(bytes.fromhex(text))
