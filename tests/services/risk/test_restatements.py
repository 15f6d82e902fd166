"""Amounts stated anew after they were paid: alerted with both figures, cleared when they are set right."""

from collections.abc import Sequence
from typing import Any

import pytest_asyncio

from shared.events.listings import TransactionEvent
from shared.events.risk import AlertRaised, AlertWithdrawn
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import later, trade, transaction

_RULES = ("amount_restated", "payment_restated")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def paid(**fields: Any) -> TransactionEvent:
    """Return an order that is paid."""
    return transaction(**{"payments": 1, **fields})


def lowered(event: TransactionEvent, to: int = 4_000, **changes: Any) -> TransactionEvent:
    """Return the next revision, in which the goods cost less."""
    return later(event, trade=trade(goods_minor=to), due_minor=to, **changes)


async def alerted(service: Service, state: str = "open") -> list[dict[str, Any]]:
    found = [one for rule in _RULES for one in (await service.get(f"/v1/alerts?rule={rule}")).json()["items"]]
    return [one for one in found if one["state"] == state]


async def in_batches(service: Service, batches: Sequence[Sequence[TransactionEvent]]) -> None:
    for batch in batches:
        await handle(service, batch)


class TestAmount:
    async def test_that_changes_after_it_was_paid_is_alerted_with_both_figures(self, risk: Service) -> None:
        await in_batches(risk, [[paid()], [lowered(paid())]])

        (alert,) = await alerted(risk)
        assert (alert["rule"], alert["order_ref"], alert["severity"]) == ("amount_restated", "order", "high")
        values = {one["feature"]: one["value"] for one in alert["contributions"]}
        assert (values["settled_minor"], values["stated_minor"]) == (10_000, 4_000)
        kinds = dict(one.split(":", 1) for one in alert["evidence"])
        assert (kinds["before"], kinds["after"]) == ("10000 CNY", "4000 CNY")
        assert kinds["stated"] <= kinds["since"]

    async def test_may_change_as_long_as_nothing_is_paid(self, risk: Service) -> None:
        placed = paid(payments=0, paid_minor=0)

        await in_batches(risk, [[placed], [lowered(placed)], [lowered(lowered(placed), payments=1, paid_minor=4_000)]])

        assert await alerted(risk) == []

    async def test_is_known_however_revisions_are_batched(self, risk: Service) -> None:
        await handle(risk, [paid(), lowered(paid())])

        assert [one["rule"] for one in await alerted(risk)] == ["amount_restated"]

    async def test_stays_alerted_while_other_documents_come(self, risk: Service) -> None:
        await in_batches(risk, [[paid()], [lowered(paid())], [later(lowered(paid()), parcels=1)]])

        assert len(await alerted(risk)) == 1
        assert len(await risk.published(AlertRaised)) == 1

    async def test_is_cleared_when_it_is_set_right(self, risk: Service) -> None:
        wrong = lowered(paid())

        await in_batches(risk, [[paid()], [wrong], [lowered(wrong, 10_000)]])

        assert (len(await alerted(risk)), len(await alerted(risk, "withdrawn"))) == (0, 1)
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_tells_the_newest_figures_when_it_changes_again(self, risk: Service) -> None:
        wrong = lowered(paid())
        right = lowered(wrong, 10_000)

        await in_batches(risk, [[paid()], [wrong], [right], [lowered(right, 7_000)]])

        (alert,) = await alerted(risk)
        assert "after:7000 CNY" in alert["evidence"]

    async def test_in_another_currency_is_another_amount(self, risk: Service) -> None:
        await in_batches(risk, [[paid()], [later(paid(), currency="USD")]])

        (alert,) = await alerted(risk)
        assert {"before:10000 CNY", "after:10000 USD"} <= set(alert["evidence"])

    async def test_of_the_other_operator_in_the_order_is_not_alerted(self, risk: Service) -> None:
        mine = paid(part=0, parts=2)
        other = paid(part=1, parts=2, trade=trade(operator_ref="stall"))

        await in_batches(risk, [[mine, other], [lowered(mine), later(other, due_minor=14_000)]])

        assert len(await alerted(risk)) == 1

    async def test_is_not_changed_by_an_older_revision_that_comes_late(self, risk: Service) -> None:
        second = later(paid(), parcels=1)
        await in_batches(risk, [[paid()], [second], [later(second, parcels=2)]])

        await handle(risk, [lowered(paid())])

        assert await alerted(risk) == []


class TestPayment:
    async def test_that_is_stated_anew_is_alerted(self, risk: Service) -> None:
        await in_batches(risk, [[paid()], [later(paid(), paid_minor=8_000)]])

        (alert,) = await alerted(risk)
        assert alert["rule"] == "payment_restated"
        assert alert["contributions"] == [{"feature": "paid_shift_minor", "value": -2_000.0, "points": 45.0}]
        assert {"paid_before:10000 CNY", "paid_after:8000 CNY"} <= set(alert["evidence"])

    async def test_that_is_a_further_one_is_not(self, risk: Service) -> None:
        await in_batches(risk, [[paid(paid_minor=4_000)], [later(paid(), payments=2, paid_minor=10_000)]])

        assert await alerted(risk) == []

    async def test_is_cleared_when_it_is_set_right(self, risk: Service) -> None:
        wrong = later(paid(), paid_minor=8_000)

        await in_batches(risk, [[paid()], [wrong], [later(wrong, paid_minor=10_000)]])

        assert (len(await alerted(risk)), len(await alerted(risk, "withdrawn"))) == (0, 1)
