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


class Relay:
    def __init__(self, url, ca, clock):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 443
        self.authority = f"{self.host.lower()}:{self.port}"
        self.clock = clock
        self.tls = ssl.create_default_context(cafile=ca)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3

    def sign(self, identity, path, body, changes=None):
        """The headers of a signed request. `changes` replaces, for mischief, fields of what is signed."""
        header = pb.SignatureHeader(
            timestamp=self.clock.now_ms(),
            user_id=identity.user_id,
            build_number=1,
            uri_path=path,
            client_type="independent/python",
            method="POST",
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
        """Status and body of one POST over a connection of its own."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=60)
        try:
            connection.request("POST", path, body=body, headers={**headers, "host": self.authority})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def call(self, identity, path, message, answer):
        """A well-behaved call."""
        body = message.SerializeToString()
        status, received = self.post(path, self.sign(identity, path, body), body)
        if status not in (200, 204):
            raise Answered(status, received)
        return answer.FromString(received) if answer else None

    def enroll(self, identity, code, profile, bundle, replace):
        request = pb.EnrollRequest(
            enrollment_code=code, profile=profile, bundle=bundle, replace_existing_installation=replace
        )
        return self.call(identity, ENROLL, request, pb.EnrollResponse)

    def lookup(self, identity, user_ids):
        return self.call(identity, LOOKUP, pb.LookupRequest(user_ids=user_ids), pb.DirectoryEntries).entries

    def send(self, identity, envelope):
        self.call(identity, SEND, envelope, None)

    def receive(self, identity, acks, wait_ms):
        return self.call(identity, RECEIVE, pb.Ack(entries=acks, wait_ms=wait_ms, limit=100), pb.EnvelopeList)
