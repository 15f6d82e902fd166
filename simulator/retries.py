"""Requests that are repeated, byte for byte, until the other side has answered."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from random import Random
from typing import Literal

import httpx

Role = Literal["platform", "consumer", "regulator", "customs", "tax"]
TokenFor = Callable[[Role, str | None, str | None], str]
"""Returns a bearer token for a role, a platform and a subject."""


class SendError(Exception):
    """The other side cannot be reached or refuses us; nothing more can be sent."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for one answer, between attempts, and in all before giving up."""

    timeout_seconds: float = 30.0
    first_delay_seconds: float = 0.2
    longest_delay_seconds: float = 10.0
    give_up_after_seconds: float = 300.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Random = field(default_factory=Random)

    def delay_seconds(self, attempt: int) -> float:
        """Return the pause after this attempt (from 1): doubled each time, spread by half either way."""
        longest = min(self.first_delay_seconds * 2.0 ** min(attempt - 1, 30), self.longest_delay_seconds)
        return longest * self.jitter.uniform(0.5, 1.5)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The final answer; `answer_lost` means an earlier attempt may have been applied unseen."""

    response: httpx.Response
    retries: int
    answer_lost: bool


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks: the claims of the token."""

    role: Role
    platform_id: str | None = None
    subject: str | None = None


class Connection:
    """One caller's requests to one service."""

    def __init__(self, client: httpx.AsyncClient, caller: Caller, *, token_for: TokenFor, patience: Patience) -> None:
        self._client = client
        self._caller = caller
        self._token_for = token_for
        self._patience = patience
        self._token: str | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send until there is an answer that another attempt would not change."""
        return await self._ask("POST", url, body, headers)

    async def get(self, url: str) -> Answer:
        """Ask until there is an answer that another attempt would not change."""
        return await self._ask("GET", url, b"", {})

    async def _ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        retries, waited_seconds, answer_lost, renewed = 0, 0.0, False, self._token is None
        while True:
            response, reason = await self._attempt(method, url, body, headers)
            if response is not None and response.status_code == HTTPStatus.UNAUTHORIZED and not renewed:
                self._token, renewed = None, True
                continue
            if response is not None and not _may_change(response):
                return Answer(response=self._admitted(response), retries=retries, answer_lost=answer_lost)
            retries += 1
            answer_lost |= _may_be_applied(response, reason)
            pause_seconds = max(self._patience.delay_seconds(retries), _asked_pause_seconds(response))
            waited_seconds += pause_seconds
            if waited_seconds > self._patience.give_up_after_seconds:
                status = reason or (response and response.status_code)
                raise SendError(f"{url} did not answer after {retries} attempts: {status}")
            await self._patience.sleep(pause_seconds)

    async def _attempt(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[httpx.Response | None, httpx.TransportError | None]:
        if self._token is None:
            self._token = self._token_for(self._caller.role, self._caller.platform_id, self._caller.subject)
        bearer = {"authorization": f"Bearer {self._token}"}
        try:
            return await self._client.request(method, url, content=body, headers={**headers, **bearer}), None
        except httpx.TransportError as error:
            return None, error

    def _admitted(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise SendError(f"{response.url} refuses a fresh token of {self._caller}: {response.text[:300]}")
        return response


def _may_change(response: httpx.Response) -> bool:
    return response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error


def _may_be_applied(response: httpx.Response | None, reason: httpx.TransportError | None) -> bool:
    if response is not None:
        return response.is_server_error
    return not isinstance(reason, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _asked_pause_seconds(response: httpx.Response | None) -> float:
    asked = response.headers.get("retry-after", "") if response is not None else ""
    try:
        return _finite(float(asked)) if asked else 0.0
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(asked)
    except ValueError:
        return 0.0
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _finite(seconds: float) -> float:
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0
