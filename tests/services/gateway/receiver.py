"""A department's side of a webhook: it answers as it is told to, and verifies without our code."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


@dataclass
class Receiver:
    """Keeps what it got. `answers` are used up one by one; then everything is received."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches this receiver and nobody else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(204)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def seqs(self) -> list[int]:
        """Return the places in line of what came, in the order in which it came."""
        return [body["data"]["seq"] for body in map(body_of, self.requests)]


def body_of(request: httpx.Request) -> dict[str, Any]:
    """Return a notice's body."""
    body: dict[str, Any] = msgspec.json.decode(request.content)
    return body


def verifies(request: httpx.Request, keys: Sequence[dict[str, str]]) -> list[bool]:
    """Tell of each signature whether one of the published keys made it (Standard Webhooks 1.0.0, `v1a`)."""
    head = request.headers
    content = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + request.content
    public = [VerifyKey(base64.b64decode(key["public_key"].removeprefix("whpk_"))) for key in keys]
    found = []
    for signature in head["webhook-signature"].split(" "):
        scheme, _, encoded = signature.partition(",")
        assert scheme == "v1a"
        found.append(any(_made_by(key, content, base64.b64decode(encoded)) for key in public))
    return found


def _made_by(key: VerifyKey, content: bytes, signature: bytes) -> bool:

    try:
        key.verify(content, signature)
    except BadSignatureError:
        return False
    return True
