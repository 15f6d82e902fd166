"""Many events in one batch come to what they come to one after the other: every table, and all that is published."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from stdnum.cn import uscc

from services.identity.numbers import organisation_check_digit
from shared.auth import Role
from shared.events.platform import (
    Contacts,
    Licence,
    OperatorChanged,
    OperatorDeregistered,
    OperatorRegistered,
    Registration,
)
from shared.identifiers import account_id
from shared.messaging import unpack
from shared.received import Received
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle, received

START = datetime(2026, 1, 1, tzinfo=UTC)
# What each table holds but for what differs from one run to the next.
TABLES = {
    "operators": "id, jurisdiction, scheme, number",
    "accounts": "id, platform_id, operator_ref, operator_id, version, state, verdict, reasons, updated_at",
    "registration_files": (
        "account_id, version, platform_id, operator_id, event_id, event_type, content, state, verdict, reasons, "
        "stated_at"
    ),
    "account_links": "account_id, linked_from, linked_to, operator_id, platform_id",
    "clocks": "id, kind, subject, platform_id, clock, content, state, last_day, due_at, is_provisional, started_at",
    "badges": "id, account_id, revoked_at, revoked_because",
    "shop_addresses": "account_id, address, url, operator_id, platform_id",
    "link_sketches": "account_id, operator_id, opened_at, stated_at, banned_at, held, name, address",
    "value_holders": "value, operator_id",
    "operator_links": "operator_id, other_operator_id, score, reasons, found_at",
    "returned_accounts": "account_id, operator_id, banned_account_id, came_back, score, reasons, found_at",
    "searched_accounts": (
        "account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at, name, own, held_from"
    ),
    "searched_before": (
        "account_id, platform_id, operator_id, jurisdiction, entity_kind, registered_at, name, own, held_from, held_to"
    ),
    "name_pieces": "account_id, pieces",
    "name_pieces_before": "account_id, held_from, pieces",
    "name_piece_counts WHERE accounts <> 0": "piece, accounts",
}


def number(draw: Random) -> str:
    organisation = "".join(draw.choices("0123456789", k=8))
    front = f"91440300{organisation}{organisation_check_digit(organisation)}"
    return front + str(uscc.calc_check_digit(front))


def history(draw: Random, *, accounts: int, events: int) -> Iterator[Received]:
    """Yield files, changes and ends of accounts of two platforms that share numbers, names, banks and shops."""
    opened: set[tuple[str, str]] = set()
    numbers = [number(draw) for _ in range(accounts // 2)]
    for turn in range(events):
        platform, ref = draw.choice(("north", "south")), f"shop-{draw.randrange(accounts)}"
        # Some come late.
        at = START + timedelta(hours=12 * turn - draw.choice((0, 0, 0, 30)))
        if (platform, ref) in opened and draw.random() < 0.25:
            event: Any = OperatorDeregistered(operator_ref=ref, reason=draw.choice(("banned", "left", "removed")))
        else:
            kind = OperatorChanged if (platform, ref) in opened else OperatorRegistered
            opened.add((platform, ref))
            event = file(kind, ref, draw, numbers)
        one = received(event, source=f"/platforms/{platform}", time=at)
        yield msgspec.structs.replace(one, headers={**one.headers, "ce_id": f"event-{turn}".encode()})


def file(kind: Any, ref: str, draw: Random, numbers: Sequence[str]) -> Any:
    """Return a file that may lack its licence, have a wrong number, or be of a person."""
    firms = ("Blue Lantern Ltd", "Blue Lanterns Ltd", "晨光贸易有限公司", "Red Harbour GmbH", f"Firm of {ref}")
    own = draw.choice((*numbers, "91440300123", None))
    return kind(
        operator_ref=ref,
        legal_name=draw.choice(firms),
        entity_type=draw.choice(("company", "company", "natural_person")),
        jurisdiction=draw.choice(("CN", "CN", "DE")),
        registration=Registration(scheme="uscc", number=own) if own is not None else None,
        licence=Licence(number="L-1", expires_on=date(2030, 1, 1)) if draw.random() < 0.8 else None,
        representative=draw.choice(("王伟", "李娜")),
        contacts=Contacts(
            address=f"深圳市晨光路{draw.randrange(4)}号", phone="+86 13800138000", email=f"{ref}@shop.example"
        ),
        customs_registration="1100000001",
        bank_accounts=[f"bank-{draw.randrange(8)}"],
        shop_urls=[f"https://shops.example/{ref}/{draw.randrange(2)}"],
    )


async def everything(service: Service) -> dict[str, list[Any]]:
    """Return every table in an order of its own, and what was published of each subject, in order."""
    found: dict[str, list[Any]] = {}
    for table, columns in TABLES.items():
        rows = await service.rows(f"SELECT {columns} FROM {table}")  # noqa: S608 - names of ours
        found[table] = sorted(map(repr, map(tuple, rows)))
    published: dict[str, list[Any]] = defaultdict(list)
    for row in await service.rows("SELECT topic, body FROM outbox ORDER BY xid, id"):
        for message in unpack(row["body"]):
            envelope = msgspec.json.decode(message.value)
            del envelope["id"]
            published[f"{row['topic']} of {message.key.decode()}"].append(envelope)
    return found | dict(published)


async def issue_badges(service: Service, seen: set[UUID]) -> None:
    """Give verified accounts badges, which later files and ends revoke."""
    for row in await service.rows("SELECT id FROM accounts WHERE verdict = 'verified' AND state = 'active'"):
        if row["id"] not in seen:
            seen.add(row["id"])
            await service.post("/v1/badges", {"account_id": str(row["id"])}, Role.REGULATOR)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_batch_is_what_its_events_are_one_by_one(open_service: OpenService, seed: int) -> None:
    one_by_one, at_once = await open_service("identity"), await open_service("identity")
    events, draw = list(history(Random(seed), accounts=14, events=150)), Random(seed)
    expected = first = await everything(one_by_one)
    while events:
        batch = [events.pop(0) for _ in range(min(len(events), draw.choice((3, 20, 60))))]
        for one in batch:
            await handle(one_by_one, [one])
        await handle(at_once, batch)

        expected = await everything(one_by_one)
        found = await everything(at_once)
        assert found.keys() == expected.keys()
        for name in expected:
            assert found[name] == expected[name], name
    assert len(expected) > len(first) + 5
    assert all(expected[table] for table in TABLES if table != "badges")


async def test_badges_are_revoked_by_the_first_event_of_a_batch_that_speaks_against_them(
    open_service: OpenService,
) -> None:
    service = await open_service("identity")
    draw = Random(4)
    good = file(OperatorRegistered, "shop", draw, [number(draw)])
    good = msgspec.structs.replace(
        good,
        entity_type="company",
        jurisdiction="CN",
        legal_name="Blue Lantern Ltd",
        registration=Registration(scheme="uscc", number=number(draw)),
        licence=Licence(number="L-1"),
    )
    same = msgspec.structs.replace(good, bank_accounts=["another-bank"])
    renamed = msgspec.structs.replace(good, legal_name="Red Harbour Ltd")
    await handle(service, [north(good, 0)])
    seen: set[UUID] = set()
    await issue_badges(service, seen)
    assert seen == {account_id("north", "shop")}

    ended = OperatorDeregistered(operator_ref="shop", reason="banned")
    await handle(service, [north(same, 1), north(renamed, 2), north(ended, 3), north(good, 4)])

    (badge,) = await service.rows("SELECT revoked_because, revoked_at FROM badges")
    assert (badge["revoked_because"], badge["revoked_at"]) == ("file changed", START + timedelta(days=2))
    states = await service.rows("SELECT state FROM registration_files ORDER BY version")
    assert [row["state"] for row in states] == ["active", "active", "active", "banned", "active"]
    clocks = await service.rows("SELECT kind, state FROM clocks WHERE state = 'running'")
    assert [row["kind"] for row in clocks] == ["verification.check"]


def north(event: Any, day: int) -> Received:
    return received(event, source="/platforms/north", time=START + timedelta(days=day))
