"""Customs of the simulation: declarations are lodged day by day, and what is channelled to inspection is inspected."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus

import httpx
import msgspec
from msgspec import Struct

from shared.events.customs import InspectionRecorded
from simulator.cloudevents import CloudEvent, encode, named_event_id
from simulator.declarations import Declared
from simulator.retries import Caller, Connection, Patience, SendError, TokenFor
from simulator.timeline import moment

SYSTEM = "single-window"
_NDJSON = {"content-type": "application/x-ndjson"}
_PAGE = 200
_BATCH = 500
_POLL_SECONDS = 0.2
_MOST_POLLS = 600


@dataclass(kw_only=True)
class Cleared:
    """What was sent, and what was not taken."""

    lodged: int = 0
    inspected: int = 0
    refused: int = 0


class _Answer(Struct, frozen=True):
    accepted: int
    duplicate: int
    rejected: list[msgspec.Raw] = []


class _Item(Struct, frozen=True):
    platform_id: str
    declaration_ref: str


class _Page(Struct, frozen=True):
    items: list[_Item]
    next: str | None


class Customs:
    """Lodges for the platforms and inspects for customs, each by a token of its own."""

    def __init__(self, client: httpx.AsyncClient, url: str, token_for: TokenFor, patience: Patience) -> None:
        self._client = client
        self._url = url
        self._token_for = token_for
        self._patience = patience
        self._customs = self._connect(Caller(role="customs", subject=SYSTEM))
        self._platforms: dict[str, Connection] = {}
        self.cleared = Cleared()

    async def clear(self, declarations: Iterable[Declared]) -> Cleared:
        """Send all declarations, a day at a time, so that each day learns from what the days before it found."""
        by_day: dict[date, list[Declared]] = defaultdict(list)
        for one in declarations:
            by_day[one.day].append(one)
        for day in sorted(by_day):
            of_day = sorted(by_day[day], key=lambda one: (one.at_ms, one.order_ref))
            await self._lodge(of_day)
            await self._inspect(day, {(one.platform_id, one.lodged.declaration_ref): one for one in of_day})
        return self.cleared

    async def _lodge(self, declarations: Sequence[Declared]) -> None:
        for platform_id in sorted({one.platform_id for one in declarations}):
            own = [_lodging(one) for one in declarations if one.platform_id == platform_id]
            connection = self._platforms.setdefault(
                platform_id, self._connect(Caller(role="platform", platform_id=platform_id))
            )
            self.cleared.lodged += await self._post(connection, own)

    async def _inspect(self, day: date, declarations: Mapping[tuple[str, str], Declared]) -> None:
        await self._channelled(day, declarations)
        found = [item for item in await self._listed(day, "inspection") if item in declarations]
        self.cleared.inspected += await self._post(
            self._customs, [_inspection(declarations[item]) for item in sorted(found)]
        )

    async def _channelled(self, day: date, declarations: Mapping[tuple[str, str], Declared]) -> None:
        """Wait until a day's declarations have their channels."""
        for _ in range(_MOST_POLLS):
            if set(declarations) <= set(await self._listed(day)):
                return
            await self._patience.sleep(_POLL_SECONDS)
        raise SendError(f"the declarations of {day} were not channelled in {_MOST_POLLS * _POLL_SECONDS:.0f} s")

    async def _listed(self, day: date, channel: str | None = None) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        cursor: str | None = ""
        while cursor is not None:
            asked = {"day": day.isoformat(), "limit": str(_PAGE), "channel": channel or "", "cursor": cursor}
            query = httpx.QueryParams({name: text for name, text in asked.items() if text})
            answer = (await self._customs.get(f"{self._url}/v1/declarations?{query}")).response
            if answer.status_code != HTTPStatus.OK:
                raise SendError(f"{answer.url} answered {answer.status_code}: {answer.text[:300]}")
            page = msgspec.json.decode(answer.content, type=_Page)
            found += [(item.platform_id, item.declaration_ref) for item in page.items]
            cursor = page.next
        return found

    async def _post(self, connection: Connection, bodies: Sequence[bytes]) -> int:
        taken = 0
        for start in range(0, len(bodies), _BATCH):
            batch = bodies[start : start + _BATCH]
            answer = (await connection.post(f"{self._url}/v1/events", b"\n".join(batch), _NDJSON)).response
            if answer.status_code != HTTPStatus.ACCEPTED:
                self.cleared.refused += len(batch)
                continue
            counts = msgspec.json.decode(answer.content, type=_Answer)
            taken += counts.accepted + counts.duplicate
            self.cleared.refused += len(counts.rejected)
        return taken

    def _connect(self, caller: Caller) -> Connection:
        return Connection(self._client, caller, token_for=self._token_for, patience=self._patience)


async def clear_customs(
    declarations: Iterable[Declared],
    *,
    url: str,
    token_for: TokenFor,
    patience: Patience | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Cleared:
    """Send declarations and what inspections find to risk. Raises SendError."""
    known = patience or Patience()
    async with httpx.AsyncClient(transport=transport, timeout=known.timeout_seconds, trust_env=False) as client:
        # Drawing the orders once more takes a while, in which the stream beside it should go on.
        drawn = await asyncio.to_thread(list, declarations)
        return await Customs(client, url, token_for, known).clear(drawn)


def _lodging(one: Declared) -> bytes:
    ref = one.lodged.declaration_ref
    event = CloudEvent(
        id=named_event_id(one.at_ms, f"lodged/{ref}"),
        source=f"/platforms/{one.platform_id}",
        type=one.lodged.type,
        time=moment(one.at_ms),
        subject=ref,
        data=one.lodged,
    )
    return encode(event).body


def _inspection(one: Declared) -> bytes:
    """Return what customs finds: the truth."""
    ref = one.lodged.declaration_ref
    found = InspectionRecorded(
        declaration_ref=ref,
        platform_id=one.platform_id,
        result="violation" if one.undervalued else "conforming",
        violation="undervaluation" if one.undervalued else None,
        inspected_on=one.day,
    )
    event = CloudEvent(
        id=named_event_id(one.at_ms, f"inspected/{one.platform_id}/{ref}"),
        source=f"/customs/{SYSTEM}",
        type=found.type,
        time=moment(one.at_ms),
        subject=ref,
        data=found,
    )
    return encode(event).body
