"""Attachments (D15): a key of their own, chunks sealed under their number, and what is said of them inside the box."""

import hashlib
import os

import connect_pb2 as pb
from nacl import bindings
from nacl.exceptions import CryptoError

from connect_peer.refused import Refused

CHUNK = 2_097_152
TAG = 16


def nonce(index):
    return index.to_bytes(24, "little")


def chunk_count(size):
    """An empty file is one empty chunk."""
    return max(1, -(-size // CHUNK))


def sealed_length(size, index):
    return min(CHUNK, size - (index - 1) * CHUNK) + TAG


def seal(content, **about):
    """What is said of the content, and its chunks; each time under another key."""
    key = os.urandom(32)
    places = range(0, max(len(content), 1), CHUNK)
    pieces = enumerate((content[place : place + CHUNK] for place in places), 1)
    chunks = [bindings.crypto_secretbox(piece, nonce(index), key) for index, piece in pieces]
    said = pb.Attachment(
        attachment_id=os.urandom(16),
        key=key,
        chunk_size=CHUNK,
        chunk_count=len(chunks),
        plaintext_size=len(content),
        ciphertext_sha256=hashlib.sha256(b"".join(chunks)).digest(),
        **about,
    )
    return said, chunks


def check(said):
    """What can be seen of it before a chunk is here."""
    lengths = [len(said.attachment_id), len(said.key), len(said.ciphertext_sha256)]
    if lengths != [16, 32, 32] or said.chunk_size != CHUNK:
        raise Refused("malformed_attachment")
    if said.chunk_count != chunk_count(said.plaintext_size):
        raise Refused("attachment_sizes_disagree")


def open_all(said, chunks):
    """The content, once count, sizes and digest agree: not a byte of it before."""
    check(said)
    if len(chunks) != said.chunk_count:
        raise Refused("chunk_count")
    pieces = []
    for index, sealed in enumerate(chunks, 1):
        if len(sealed) != sealed_length(said.plaintext_size, index):
            raise Refused("chunk_size")
        try:
            pieces.append(bindings.crypto_secretbox_open(sealed, nonce(index), said.key))
        except CryptoError:
            raise Refused("chunk_damaged") from None
    if hashlib.sha256(b"".join(chunks)).digest() != said.ciphertext_sha256:
        raise Refused("digest_mismatch")
    return b"".join(pieces)


def put(relay, identity, said, chunks, readers):
    relay.create_attachment(
        identity,
        pb.CreateAttachment(
            attachment_id=said.attachment_id,
            ciphertext_size=sum(len(sealed) for sealed in chunks),
            chunk_count=len(chunks),
            reader_ids=readers,
        ),
    )
    for index, sealed in enumerate(chunks, 1):
        relay.put_chunk(identity, said.attachment_id, index, sealed)


def fetch(relay, identity, said):
    check(said)
    indices = range(1, said.chunk_count + 1)
    return open_all(said, [relay.get_chunk(identity, said.attachment_id, index) for index in indices])


def shown(said):
    return {
        "attachment_id": said.attachment_id.hex(),
        "chunk_count": said.chunk_count,
        "size": said.plaintext_size,
        "filename": said.filename,
        "media_type": said.media_type,
        "caption": said.caption,
    }


def spoil(said, chunks, mischief):
    """For mischief: what is not as it was sealed, though the number of chunks, their lengths or the digest agree."""
    if mischief == "swapped":
        chunks[0], chunks[1] = chunks[1], chunks[0]
        said.ciphertext_sha256 = hashlib.sha256(b"".join(chunks)).digest()
    elif mischief == "truncated":
        chunks[-1] = chunks[-1][:-1]
        said.ciphertext_sha256 = hashlib.sha256(b"".join(chunks)).digest()
    elif mischief == "another_digest":
        said.ciphertext_sha256 = hashlib.sha256(b"another").digest()
    elif mischief:
        raise ValueError(mischief)
