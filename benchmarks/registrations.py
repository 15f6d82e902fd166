"""Registration files through the batch door and the worker of identity: how many a second, each by itself and both."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx
import msgspec
import numpy as np
from stdnum.cn import uscc

from benchmarks.invented_names import firm
from benchmarks.postgres import databases
from benchmarks.registration_members import APPLIED, POSTED, apply_all, members
from benchmarks.results import Result
from deploy.tokens import Issuer
from services.identity.app import create_app
from services.identity.numbers import organisation_check_digit
from services.identity.settings import Settings
from shared.auth import Role
from shared.bodies import BATCH
from shared.database import Sessions, driver, transaction
from shared.events.platform import OperatorRegistered

_REGISTRATIONS, _MEMBERS = 100_000, 2
_PLATFORM = "north"
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_WAYS = ("路", "街", "大道", "东路", "西路", "巷")
_CITIES = ("深圳市", "杭州市", "广州市", "义乌市", "苏州市", "成都市", "宁波市", "青岛市")
# How far the worker is is looked at so often, and told of the first and the last of so many parts.
_LOOK_SECONDS, _PARTS = 1.0, 10
_RECORDED = "SELECT coalesce(sum(count), 0) / 2 FROM outbox WHERE topic = 'identity.operators'"
_AT_ONCE = ", while the door took them: from the first request to the last commit"
# What each file leaves: rows of a table, or facts of a topic.
_LEFT = f"""
    SELECT least((SELECT count(*) FROM registration_files), (SELECT count(*) FROM link_sketches),
        (SELECT count(*) FROM searched_accounts), (SELECT count(*) FROM file_digests), ({_RECORDED}))
"""  # noqa: S608 - ours


class _Asked(NamedTuple):
    """How many files there are, how many members of the worker, and whether they work while the door takes files."""

    files: int
    members: int
    at_once: bool


def registrations_per_s() -> Result:
    """Return how many registrations a second go through the slower of both, the door and the worker, each by itself."""
    return asyncio.run(_measure(_asked(at_once=False)))


def registrations_at_once_per_s() -> Result:
    """Return how many registrations a second go through both at once, from the first request to the last commit."""
    return asyncio.run(_measure(_asked(at_once=True)))


def _asked(*, at_once: bool) -> _Asked:
    """Return what is asked for: `REGISTRATIONS` and `MEMBERS` say how many."""
    files, members_ = os.environ.get("REGISTRATIONS", _REGISTRATIONS), os.environ.get("MEMBERS", _MEMBERS)
    return _Asked(int(files), int(members_), at_once)


class _Pace:
    """How much the worker had recorded by when, looked at while it works."""

    def __init__(self, sessions: Sessions, files: int) -> None:
        self._sessions, self._files = sessions, files
        self._moments, self._recorded = [time.perf_counter()], [0.0]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look beside the work, which is done at the end."""
        looking = asyncio.create_task(self._look())
        try:
            yield
            self._note(self._files)
        finally:
            looking.cancel()

    def whole(self) -> float:
        """Return how many a second were recorded."""
        return self._files / (self._moments[-1] - self._moments[0])

    def ends(self) -> tuple[float, float]:
        """Return the same of the first and of the last part of them."""
        part = self._files / _PARTS
        early, late = np.interp([part, self._files - part], self._recorded, self._moments)
        return part / (early - self._moments[0]), part / (self._moments[-1] - late)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            async with transaction(self._sessions) as session:
                self._note(await (await driver(session)).fetchval(_RECORDED))

    def _note(self, recorded: float) -> None:
        self._moments.append(time.perf_counter())
        self._recorded.append(float(recorded))


async def _measure(asked: _Asked) -> Result:
    async with _identity() as (client, environment, sessions):
        # Made up beforehand: that is not the door's work.
        path = Path(environment["VAR_DIR"]) / "bodies"
        path.write_bytes(b"\n".join(_bodies(asked.files)))
        async with members(asked.members, asked.files, environment) as running:
            sent = asyncio.create_task(_through_door(client, path, asked.files))
            if not asked.at_once:
                await sent
            pace = _Pace(sessions, asked.files)
            async with pace.kept():
                door, _ = await asyncio.gather(sent, apply_all(running))
        async with transaction(sessions) as session:
            left = await (await driver(session)).fetchval(_LEFT)
        if left != asked.files:
            raise RuntimeError(f"of {asked.files} files {left} left everything that they should")
    name = "identity.registrations_at_once_per_s" if asked.at_once else "identity.registrations_per_s"
    return Result(
        name=name,
        value=min(door, pace.whole()),
        unit="registrations/s",
        command=f"make bench ONLY={name}{'' if asked.files == _REGISTRATIONS else f' REGISTRATIONS={asked.files}'}",
        notes=_notes(asked, door, pace),
    )


def _notes(asked: _Asked, door: float, pace: _Pace) -> list[str]:
    how = f"{APPLIED:,} a transaction, read from the accepted log without Kafka{_AT_ONCE if asked.at_once else ''}"
    first, last = pace.ends()
    return [
        f"{asked.files:,} files of as many firms, into an empty register",
        f"door {door:,.0f}/s, {POSTED} a request, one after the other",
        f"worker {pace.whole():,.0f}/s, {asked.members} members, {how}",
        f"the first {asked.files // _PARTS:,} of them {first:,.0f}/s, the last {last:,.0f}/s",
    ]


async def _through_door(client: httpx.AsyncClient, path: Path, count: int) -> float:
    began = time.perf_counter()
    with path.open("rb") as bodies:
        for body in bodies:
            answer = await client.post("/v1/events", content=body)
            if answer.status_code != httpx.codes.ACCEPTED or answer.json()["rejected"]:
                raise RuntimeError(f"the door refused: {answer.text[:500]}")
    return count / (time.perf_counter() - began)


def _bodies(count: int) -> Iterator[bytes]:
    draw = Random(5)
    for first in range(0, count, POSTED):
        events = [_registered(draw, number) for number in range(first, min(first + POSTED, count))]
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
async def _identity() -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str], Sessions]]:
    """Yield a platform's client of identity, what its worker is told, and its sessions, on a PostgreSQL of its own."""
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
        environment = {
            "IDENTITY_DATABASE_URL": urls["identity"].app,
            "IDENTITY_KEYS_DATABASE_URL": urls["identity_keys"].app,
            "VAR_DIR": name,
        }
        yield await stack.enter_async_context(client), environment, app.state.sessions
