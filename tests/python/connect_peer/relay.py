"""Calls to the relay over TLS 1.3: signed requests (D8), protobuf in and out."""

import base64
import hashlib
import http.client
import os
import ssl
from urllib.parse import urlsplit

import connect_pb2 as pb

from connect_peer.refused import Answered

ENROLL = "/api/v1/enroll"
SEND = "/api/v1/messages/send"
RECEIVE = "/api/v1/messages/receive"
LOOKUP = "/api/v1/contacts/lookup"
ATTACHMENTS = "/api/v1/attachments"


class Relay:
    def __init__(self, url, ca, clock):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 443
        self.authority = f"{self.host.lower()}:{self.port}"
        self.clock = clock
        self.tls = ssl.create_default_context(cafile=ca)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3

    def sign(self, identity, path, body, changes=None, method="POST"):
        """The headers of a signed request. `changes` replaces, for mischief, fields of what is signed."""
        header = pb.SignatureHeader(
            timestamp=self.clock.now_ms(),
            user_id=identity.user_id,
            build_number=1,
            uri_path=path,
            client_type="independent/python",
            method=method,
            authority=self.authority,
            body_sha256=hashlib.sha256(body).digest(),
            nonce=os.urandom(16),
        )
        for field, value in (changes or {}).items():
            setattr(header, field, value)
        header = header.SerializeToString()
        signed = base64.b64encode(identity.sign(header) + header).decode()
        return {"x-siilo-uid": identity.user_id, "x-siilo-sig": signed, "content-type": "application/x-protobuf"}

    def post(self, path, headers, body):
        return self.exchange("POST", path, headers, body)

    def exchange(self, method, path, headers, body):
        """Status and body of one request over a connection of its own."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=60)
        try:
            connection.request(method, path, body=body, headers={**headers, "host": self.authority})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def ask(self, identity, method, path, body=b""):
        """A well-behaved request, and the body of its answer."""
        headers = self.sign(identity, path, body, method=method)
        if method == "PUT":
            headers["content-type"] = "application/octet-stream"
        status, received = self.exchange(method, path, headers, body or None)
        if status not in (200, 204):
            raise Answered(status, received)
        return received

    def call(self, identity, path, message, answer):
        """A well-behaved call."""
        received = self.ask(identity, "POST", path, message.SerializeToString())
        return answer.FromString(received) if answer else None

    def enroll(self, identity, code, profile, bundle, replace):
        request = pb.EnrollRequest(
            enrollment_code=code, profile=profile, bundle=bundle, replace_existing_installation=replace
        )
        return self.call(identity, ENROLL, request, pb.EnrollResponse)

    def lookup(self, identity, user_ids):
        return self.call(identity, LOOKUP, pb.LookupRequest(user_ids=user_ids), pb.DirectoryEntries).entries

    def receive(self, identity, acks, wait_ms):
        return self.call(identity, RECEIVE, pb.Ack(entries=acks, wait_ms=wait_ms, limit=100), pb.EnvelopeList)

    def create_attachment(self, identity, create):
        self.call(identity, ATTACHMENTS, create, None)

    def put_chunk(self, identity, attachment_id, index, sealed):
        self.ask(identity, "PUT", chunk_path(attachment_id, index), sealed)

    def get_chunk(self, identity, attachment_id, index):
        return self.ask(identity, "GET", chunk_path(attachment_id, index))


def chunk_path(attachment_id, index):
    return f"{ATTACHMENTS}/{attachment_id.hex()}/{index}"
