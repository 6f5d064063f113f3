"""Answers the differential test: libsodium, through PyNaCl, does the same as connect-core.

A question and an answer are each a number of fields, then each field after its length (four bytes, big-endian).
"""

import hashlib
import struct
import sys

from nacl import bindings
from nacl.exceptions import CryptoError

from connect_peer import gate


class Stream:
    """Bytes that follow from a seed, so that a failure can be repeated."""

    def __init__(self, seed):
        self.seed = seed
        self.used = 0

    def take(self, length):
        self.used += 1
        return hashlib.shake_256(self.seed + self.used.to_bytes(8, "big")).digest(length)


def make_box(seed, length):
    stream = Stream(seed)
    sender_public, sender_secret = bindings.crypto_box_seed_keypair(stream.take(32))
    reader_public, reader_secret = bindings.crypto_box_seed_keypair(stream.take(32))
    nonce, plaintext = stream.take(24), stream.take(int(length))
    box = bindings.crypto_box(plaintext, nonce, reader_public, sender_secret)
    return sender_public, sender_secret, reader_public, reader_secret, nonce, plaintext, box


def open_box(public, secret, nonce, box):
    try:
        plaintext = bindings.crypto_box_open(box, nonce, public, secret)
    except CryptoError:
        return (b"refused",)
    return b"opened", plaintext, bindings.crypto_scalarmult_base(secret)


def make_secretbox(seed, length):
    stream = Stream(seed)
    key, nonce, plaintext = stream.take(32), stream.take(24), stream.take(int(length))
    return key, nonce, plaintext, bindings.crypto_secretbox(plaintext, nonce, key)


def open_secretbox(key, nonce, box):
    try:
        return b"opened", bindings.crypto_secretbox_open(box, nonce, key)
    except CryptoError:
        return (b"refused",)


def make_signature(seed, length):
    stream = Stream(seed)
    sign_seed, message = stream.take(32), stream.take(int(length))
    public, secret = bindings.crypto_sign_seed_keypair(sign_seed)
    return sign_seed, public, message, bindings.crypto_sign(message, secret)[:64]


def check_signature(public, message, signature):
    try:
        bindings.crypto_sign_open(signature + message, public)
    except CryptoError:
        return (b"refused",)
    return (b"verifies",)


def judge_keys(seed, kind):
    """Keys honest and not, with this side's judgement of each (D4)."""
    stream = Stream(seed)
    sign_key = gate.candidate_sign_key(kind.decode(), stream)
    box_key = gate.candidate_box_key(kind.decode(), stream)
    judgement = {True: b"admitted", False: b"refused"}
    return box_key, judgement[gate.admits_box_key(box_key)], sign_key, judgement[gate.admits_sign_key(sign_key)]


ANSWERS = {
    function.__name__.encode(): function
    for function in (
        make_box,
        open_box,
        make_secretbox,
        open_secretbox,
        make_signature,
        check_signature,
        judge_keys,
    )
}


def number(source):
    return struct.unpack(">I", source.read(4))[0]


def main():
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while questions.peek(1):
        name, *arguments = [questions.read(number(questions)) for _ in range(number(questions))]
        answer = ANSWERS[name](*arguments)
        answers.write(struct.pack(">I", len(answer)))
        for field in answer:
            answers.write(struct.pack(">I", len(field)) + field)
        answers.flush()


main()
