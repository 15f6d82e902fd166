"""What is stored of links after many batches is what one look at everything in memory comes to."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from services.identity.attributes import attributes
from services.identity.blind import BlindIndex
from services.identity.network import Holder, Network
from services.identity.rule_values import RuleValues
from shared.database import transaction
from shared.events.platform import Contacts, OperatorDeregistered, OperatorRegistered
from shared.identifiers import account_id
from shared.received import Received
from tests.services.doors import OpenService, Service
from tests.services.identity.shops import state
from tests.services.inbox import handle, received

START = datetime(2026, 1, 1, tzinfo=UTC)
CITIES = ("昆明市", "昆阳市", "大理市")


def history(draw: Random, *, accounts: int, events: int) -> Iterator[Received]:
    """Yield files and bans of accounts that share a few values, some of them by too many."""
    opened: list[str] = []
    for turn in range(events):
        at = START + timedelta(hours=turn)
        ref = f"shop-{draw.randrange(accounts)}"
        if ref in opened and draw.random() < 0.15:
            event: object = OperatorDeregistered(operator_ref=ref, reason=draw.choice(("banned", "left")))
        else:
            opened.append(ref)
            event = file(ref, draw)
        yield received(event, source="/platforms/north", time=at)


def file(ref: str, draw: Random) -> OperatorRegistered:
    letters = "".join(draw.choices("abcdefgh", k=3))
    street = draw.choice(("晨光路", "辰光路", "青石东路松花里", "青石西路松花里"))
    return OperatorRegistered(
        operator_ref=ref,
        legal_name=f"Trading of {draw.choice((letters, 'mountain', 'mountains'))} Ltd",
        entity_type="company",
        jurisdiction="CN",
        representative=draw.choice(("王伟", "李娜", letters)),
        contacts=Contacts(
            phone=f"1380013{draw.choice((8000, 8001, draw.randrange(1000, 9999)))}",
            address=f"{draw.choice(CITIES)}{street}{draw.randrange(3)}号",
        ),
        bank_accounts=[f"bank-{draw.randrange(40)}"],
        devices=[f"device-{draw.randrange(60)}"] if draw.random() < 0.5 else [],
    )


def after(blind: BlindIndex, one: Received, before: Holder | None) -> Holder:
    """Return an account after an event, as the requirement has it."""
    event = one.event
    if isinstance(event, OperatorDeregistered):
        assert before is not None
        return replace(before, banned_at=one.time if event.reason == "banned" else None)
    account = account_id("north", event.operator_ref)
    return Holder(
        account_id=account,
        platform_id="north",
        operator_ref=event.operator_ref,
        operator_id=account,
        opened_at=before.opened_at if before is not None else one.time,
        stated_at=one.time,
        attributes=attributes(blind, event),
    )


async def small_bounds(service: Service) -> None:
    for name, value in (("links.most_holders", 4), ("links.most_in_band", 3), ("links.threshold", 7)):
        await service.rows("UPDATE rule_values SET value = $2 WHERE name = $1 RETURNING name", name, value)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
async def test_links_and_returns_are_what_everything_in_memory_comes_to(open_service: OpenService, seed: int) -> None:
    service, draw = await open_service("identity"), Random(seed)
    await small_bounds(service)
    async with transaction(service.sessions) as session:
        values = RuleValues()
        await values.refresh(session)
        expected = Network(values.link_policy)
    blind: BlindIndex = service.app.state.vault.blind
    events = list(history(draw, accounts=45, events=160))
    while events:
        batch = [events.pop(0) for _ in range(min(len(events), draw.choice((1, 1, 2, 7, 30))))]
        await handle(service, batch)
        for one in batch:
            expected.put(after(blind, one, expected.accounts.get(account_id("north", one.event.operator_ref))))

        stored = await state(service)
        assert {(a, b): score for a, b, score, _ in stored["links"]} == {
            pair: link.score for pair, link in expected.links.items()
        }
        assert [(account, banned, back, score) for account, banned, back, score, _ in stored["returns"]] == sorted(
            (account, found.banned.account_id, found.came_back, found.link.score)
            for account, found in expected.returns.items()
        )
    assert expected.links
    assert expected.returns
