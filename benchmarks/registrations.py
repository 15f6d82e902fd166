"""Registration files through the batch door and the worker of identity: how many a second, each by itself."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
from aiokafka import TopicPartition
from stdnum.cn import uscc

from benchmarks.invented_names import firm
from benchmarks.postgres import databases
from benchmarks.results import Result
from deploy.tokens import Issuer
from services.identity.app import create_app
from services.identity.handlers import handlers
from services.identity.numbers import organisation_check_digit
from services.identity.settings import Settings
from services.identity.vault import Vault
from shared.auth import Role
from shared.bodies import BATCH
from shared.database import Sessions, driver, transaction
from shared.events.base import Envelope
from shared.events.platform import OperatorRegistered
from shared.messaging import unpack
from shared.process import settle_memory
from shared.received import Received

_REGISTRATIONS = 100_000
_POSTED = 500
_APPLIED = 2_000
_PLATFORM = "north"
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_WAYS = ("路", "街", "大道", "东路", "西路", "巷")
_CITIES = ("深圳市", "杭州市", "广州市", "义乌市", "苏州市", "成都市", "宁波市", "青岛市")
_PLACE = TopicPartition("identity.accepted", 0)
_envelope = msgspec.json.Decoder(Envelope).decode
_event = msgspec.json.Decoder(OperatorRegistered).decode


def registrations_per_s() -> Result:
    """Return how many registrations a second go through the slower of both, the door and the worker."""
    return asyncio.run(_measure())


async def _measure() -> Result:
    async with _identity() as (client, vault, sessions):
        door = await _through_door(client, _REGISTRATIONS)
        batches = [batch async for batch in _accepted(sessions)]
        settle_memory()
        worker = await _through_worker(vault, sessions, batches)
    slower = min(door, worker)
    return Result(
        name="identity.registrations_per_s",
        value=slower,
        unit="registrations/s",
        command="make bench ONLY=identity.registrations_per_s",
        notes=[
            f"{_REGISTRATIONS:,} files of as many firms, into an empty register",
            f"door {door:,.0f}/s, {_POSTED} a request, one after the other, the client in the same process",
            f"worker {worker:,.0f}/s, one member, {_APPLIED:,} a transaction, read from the accepted log without Kafka",
        ],
    )


async def _through_door(client: httpx.AsyncClient, count: int) -> float:
    bodies = list(_bodies(count))
    began = time.perf_counter()
    for body in bodies:
        answer = await client.post("/v1/events", content=body)
        if answer.status_code != httpx.codes.ACCEPTED or answer.json()["rejected"]:
            raise RuntimeError(f"the door refused: {answer.text[:500]}")
    return count / (time.perf_counter() - began)


async def _through_worker(vault: Vault, sessions: Sessions, batches: Sequence[Sequence[Received]]) -> float:
    on_operators = handlers(vault)[OperatorRegistered]
    began = time.perf_counter()
    for batch in batches:
        async with transaction(sessions) as session:
            await on_operators(session, batch)
    return sum(map(len, batches)) / (time.perf_counter() - began)


async def _accepted(sessions: Sessions) -> AsyncIterator[list[Received]]:
    async with transaction(sessions) as session:
        rows = await (await driver(session)).fetch("SELECT body FROM outbox WHERE topic = $1 ORDER BY id", _PLACE.topic)
    messages = [_received(_envelope(message.value)) for row in rows for message in unpack(row["body"])]
    for first in range(0, len(messages), _APPLIED):
        yield messages[first : first + _APPLIED]


def _received(event: Envelope) -> Received:
    named = {"ce_id": event.id, "ce_type": event.type, "ce_source": event.source, "ce_time": event.time or ""}
    headers = {name: text.encode() for name, text in named.items()}
    return Received(_event(event.data), headers, _PLACE, 0)


def _bodies(count: int) -> Iterator[bytes]:
    draw = Random(5)
    for first in range(0, count, _POSTED):
        events = [_registered(draw, number) for number in range(first, min(first + _POSTED, count))]
        yield msgspec.json.encode(events)


def _registered(draw: Random, number: int) -> dict[str, Any]:
    at = _BEGAN + timedelta(seconds=20 * number)
    return {
        "specversion": "1.0",
        "id": f"file-{number}",
        "source": f"/platforms/{_PLATFORM}",
        "type": OperatorRegistered.type,
        "time": at.isoformat(),
        "data": {
            "operator_ref": f"shop-{number}",
            "legal_name": firm(draw).whole,
            "entity_type": "company",
            "jurisdiction": "CN",
            "registration": {"scheme": "uscc", "number": _number(draw)},
            "licence": {"number": f"L-{number}", "issued_on": "2020-01-01", "expires_on": "2030-01-01"},
            "representative": "".join(draw.choices("王李张刘陈杨赵黄周吴伟芳娜敏静强磊洋艳勇", k=3)),
            "contacts": {
                "address": f"{draw.choice(_CITIES)}{firm(draw).own}{draw.choice(_WAYS)}{draw.randrange(1, 500)}号",
                "phone": f"+86 138{draw.randrange(10**8):08d}",
                "email": f"shop{number}@trade{draw.randrange(10**6)}.example",
            },
            "customs_registration": f"{draw.randrange(10**10):010d}",
            "bank_accounts": [f"6222{draw.randrange(10**14):014d}"],
            "devices": [f"device-{draw.getrandbits(48):x}"],
            "shop_urls": [f"https://{_PLATFORM}.example/shops/{number}"],
        },
    }


def _number(draw: Random) -> str:
    """Return a registration number that nobody has and whose check digits hold."""
    organisation = "".join(draw.choices(_SIGNS, k=8))
    front = f"91440300{organisation}{organisation_check_digit(organisation)}"
    return front + str(uscc.calc_check_digit(front))


@asynccontextmanager
async def _identity() -> AsyncIterator[tuple[httpx.AsyncClient, Vault, Sessions]]:
    """Yield a client of identity as a platform, its vault and its sessions, on a PostgreSQL of its own."""
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp"))
        directory = Path(name)
        directory.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
        urls = await stack.enter_async_context(databases(directory, "identity", "identity_keys"))
        issuer = Issuer(directory)
        settings = Settings(
            database_url=urls["identity"].app,
            owner_database_url=urls["identity"].owner,
            keys_database_url=urls["identity_keys"].app,
            auth_jwks=str(issuer.jwks),
            var_dir=directory,
        )
        app = create_app(settings)
        await stack.enter_async_context(app.router.lifespan_context(app))
        token = issuer.issue(Role.PLATFORM, platform_id=_PLATFORM)
        headers = {"authorization": f"Bearer {token}", "content-type": BATCH}
        transport = httpx.ASGITransport(app=app)
        client = httpx.AsyncClient(transport=transport, base_url="http://identity", headers=headers, timeout=60)
        yield await stack.enter_async_context(client), app.state.vault, app.state.sessions
