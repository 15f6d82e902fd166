"""A department's side of a webhook: it answers as it is told to, and verifies without our code."""

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import msgspec
from aiohttp import web
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from services.gateway.dialling import session_over


@dataclass
class Receiver:
    """Keeps what it got. `answers` are used up one by one; then everything is received.

    An answer that is an exception is what connecting comes to instead; a TimeoutError, that none comes.
    """

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    patience_seconds: float = 5.0

    @asynccontextmanager
    async def client(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Yield a client like the worker's that reaches this receiver, whatever it dials, and nobody else."""
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / "receiver")
            runner = web.ServerRunner(web.Server(self._receive))
            await runner.setup()
            await web.UnixSite(runner, path).start()
            async with session_over(_Wire(path, self), self.patience_seconds) as client:
                yield client
            await runner.cleanup()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Return what a request is answered with."""
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(204)
        if isinstance(answer, Exception):
            await asyncio.sleep(2 * self.patience_seconds)
            return httpx.Response(204)
        return answer

    async def _receive(self, request: web.BaseRequest) -> web.StreamResponse:
        url = f"https://{request.host}{request.rel_url}"
        answer = await self.answer(
            httpx.Request(request.method, url, headers=dict(request.headers), content=await request.read())
        )
        response = web.StreamResponse(status=answer.status_code, headers=dict(answer.headers))
        await response.prepare(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        async for part in answer.stream:
            await response.write(part)
        return response

    def seqs(self) -> list[int]:
        """Return the places in line of what came, in the order in which it came."""
        return [body["data"]["seq"] for body in map(body_of, self.requests)]


class _Wire(aiohttp.UnixConnector):
    """Connects to a receiver, unless its next answer is that it cannot be reached."""

    def __init__(self, path: str, receiver: Receiver) -> None:
        super().__init__(path)
        self._receiver = receiver

    async def connect(self, *arguments: Any, **options: Any) -> Any:  # aiohttp's own signature
        match self._receiver.answers:
            case [Exception() as failure, *_] if not isinstance(failure, TimeoutError):
                del self._receiver.answers[0]
                raise failure
        return await super().connect(*arguments, **options)


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
