"""Payment institutions and channels: the registry at its door, and payments judged by it when they were made."""

from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import msgspec
import polars as pl
import pytest
import pytest_asyncio

from services.risk.certified import FEATURES, Registry
from shared.auth import Role
from shared.clock import utc_now
from shared.database import kept
from shared.database import transaction as in_transaction
from shared.events.listings import PaidThrough, TransactionEvent
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, later, transaction

TODAY = PLACED.date()
LICENCE = {
    "scheme": "payment_licence",
    "number": "Z2000133000019",
    "authority": "PBC",
    "valid_from": "2020-01-01",
    "valid_to": None,
}
CHANNEL = {"channel": "alipay", "valid_from": "2020-01-01", "valid_to": None}
RULES = ("uncertified_institution", "uncertified_channel", "unknown_institution")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def put(service: Service, institution: str = "pay", who: Role = Role.REGULATOR, **changes: Any) -> Any:
    body = {"name": "Pay Ltd", "jurisdiction": "CN", **changes}
    headers = service.bearer(who, subject="anna")
    return await service.client.put(f"/v1/institutions/{institution}", json=body, headers=headers)


async def state(service: Service, item: str, body: dict[str, Any], institution: str = "pay") -> Any:
    return await service.post(f"/v1/institutions/{institution}/{item}", body, Role.REGULATOR, subject="boris")


async def register(service: Service, institution: str = "pay", **licence: Any) -> None:
    """Register an institution with a licence and one channel, and let the next batch see it."""
    await put(service, institution)
    await state(service, "certifications", LICENCE | licence, institution)
    answer = await state(service, "channels", CHANNEL, institution)
    assert answer.status_code == 200, answer.text
    await forget_registry(service)


async def forget_registry(service: Service) -> None:
    """Let the next batch read the registry anew, as it would after `FRESH_SECONDS`."""
    async with in_transaction(service.sessions) as session:
        kept(session, Registry).forget()


def through(institution: str | None = "pay", channel: str | None = "alipay", *days: int) -> PaidThrough:
    at: list[datetime] = [PLACED + timedelta(days=day) for day in days or (0,)]
    return PaidThrough(made_at=at, institution_id=institution, channel=channel)


def paid(order_ref: str, *pairs: PaidThrough) -> TransactionEvent:
    return transaction(order_ref=order_ref, buyer_ref=f"buyer of {order_ref}", payments=1, paid_through=pairs)


async def alerts(service: Service, state: str = "open") -> dict[tuple[str, str], list[str]]:
    """Return the evidence of alerts about payments, by order and rule."""
    statement = "SELECT order_ref, rule, evidence FROM alerts WHERE rule = ANY ($1::text[]) AND state = $2"
    rows = await service.rows(statement, list(RULES), state)
    return {(row["order_ref"], row["rule"]): row["evidence"] for row in rows}


class TestRegistry:
    async def test_shows_what_was_stated_and_who_changed_what(self, risk: Service) -> None:
        await put(risk)
        await state(risk, "certifications", LICENCE)
        await state(risk, "channels", CHANNEL)

        shown = (await state(risk, "certifications", LICENCE | {"valid_to": "2026-05-01"})).json()

        assert shown["certifications"] == [LICENCE | {"valid_to": "2026-05-01"}]
        assert shown["channels"] == [CHANNEL]
        withdrawn, *_, registered = shown["changes"]
        assert (withdrawn["item"], withdrawn["changed_by"]) == ("certification", "boris")
        assert (withdrawn["before"]["valid_to"], withdrawn["after"]["valid_to"]) == (None, "2026-05-01")
        assert (registered["item"], registered["changed_by"], registered["before"]) == ("institution", "anna", None)

    async def test_keeps_no_change_of_what_is_so_already(self, risk: Service) -> None:
        await register(risk)
        await register(risk)

        assert len((await risk.get("/v1/institutions/pay")).json()["changes"]) == 3

    async def test_is_listed_a_page_at_a_time(self, risk: Service) -> None:
        for number in range(3):
            await put(risk, f"pay-{number}")

        first = (await risk.get("/v1/institutions?limit=2")).json()
        second = (await risk.get(f"/v1/institutions?limit=2&cursor={first['next']}")).json()

        found = [item["institution_id"] for item in first["items"] + second["items"]]
        assert (sorted(found), second["next"]) == ([f"pay-{number}" for number in range(3)], None)

    @pytest.mark.parametrize("who", [Role.CUSTOMS, Role.INSPECTOR, Role.TAX])
    async def test_is_kept_by_regulators_only(self, risk: Service, who: Role) -> None:
        assert (await put(risk, who=who)).status_code == 403

    async def test_refuses_a_span_that_ends_before_it_begins(self, risk: Service) -> None:
        await put(risk)

        answer = await state(risk, "channels", CHANNEL | {"valid_to": "2019-12-31"})

        assert (answer.status_code, answer.json()["pointer"]) == (422, "/valid_to")

    async def test_does_not_certify_who_is_not_registered(self, risk: Service) -> None:
        answer = await state(risk, "certifications", LICENCE, "stranger")

        assert answer.status_code == 404
        assert "stranger" in answer.json()["detail"]

    async def test_takes_rows_of_a_list_each_by_itself(self, risk: Service) -> None:
        named = {"institution_id": "pay", "name": "Pay Ltd", "jurisdiction": "CN"}
        licence = {"scheme": "licence", "number": "1", "authority": "PBC", "certified_from": "2020-01-01"}
        entries: list[dict[str, Any]] = [
            named | licence | {"channel": "alipay", "channel_from": "2020-01-01"},
            {"institution_id": "pay", "channel": "card"},
            {"institution_id": "stranger", "channel": "card", "channel_from": "2020-01-01"},
            {"institution_id": "pay", "chanel": "card"},
            {"institution_id": "pay", "channel": "card", "channel_from": "2020-13-01"},
            named,
            {"institution_id": "pay", "channel": "card", "channel_from": "2021-01-01", "channel_to": "2020-01-01"},
            {"institution_id": "pay", "channel": "card", "channel_from": "2021-01-01"},
        ]

        answer = await risk.post("/v1/institutions", {"entries": entries}, Role.REGULATOR)

        results = answer.json()["results"]
        refused = {one["row"]: (one["pointer"], one["detail"]) for one in results if one["outcome"] == "refused"}
        assert [one["outcome"] for one in results] == [
            "recorded", *["refused"] * 4, "unchanged", "refused", "recorded"
        ]  # fmt: skip
        assert "channel_from is missing beside channel" in refused[1][1]
        assert "stranger" in refused[2][1]
        assert (refused[3][0], refused[4][0], refused[6][0]) == ("/chanel", "/channel_from", "/channel_to")
        shown = (await risk.get("/v1/institutions/pay")).json()
        assert [one["channel"] for one in shown["channels"]] == ["alipay", "card"]


class TestPayments:
    async def test_are_not_judged_by_an_empty_registry(self, risk: Service) -> None:
        await handle(risk, [paid("order", through())])

        assert await alerts(risk) == {}

    async def test_are_alerted_with_institution_and_channel(self, risk: Service) -> None:
        await register(risk)
        await register(risk, "lapsed", valid_to=TODAY.isoformat())

        await handle(
            risk,
            [
                paid("good", through()),
                paid("silent"),
                paid("nameless", through(None)),
                paid("channelless", through("pay", None)),
                paid("channel", through("pay", "hawala")),
                paid("lapsed", through("lapsed")),
                paid("unknown", through("nobody")),
            ],
        )

        day = f"paid:{TODAY}"
        assert await alerts(risk) == {
            ("channel", "uncertified_channel"): ["institution:pay", "channel:hawala", day],
            ("lapsed", "uncertified_institution"): ["institution:lapsed", "channel:alipay", day],
            ("unknown", "unknown_institution"): ["institution:nobody", "channel:alipay", day],
        }

    async def test_are_judged_by_the_day_they_were_made(self, risk: Service) -> None:
        """A certificate that ends tomorrow covers today's payments, and none after; one renewed covers them all."""
        await register(risk, valid_to=(TODAY + timedelta(days=1)).isoformat())

        await handle(risk, [paid("before", through()), paid("after", through("pay", "alipay", 1))])
        await handle(risk, [paid("both", through("pay", "alipay", 0, 1))])

        assert set(await alerts(risk)) == {(ref, "uncertified_institution") for ref in ("after", "both")}
        assert (await alerts(risk))["both", "uncertified_institution"][-1] == f"paid:{TODAY + timedelta(days=1)}"

        renewed = LICENCE | {"number": "renewed", "valid_from": (TODAY + timedelta(days=1)).isoformat()}
        await state(risk, "certifications", renewed)
        await forget_registry(risk)
        await handle(
            risk, [later(paid("after", through("pay", "alipay", 1))), paid("next", through("pay", "alipay", 9))]
        )

        assert set(await alerts(risk)) == {("both", "uncertified_institution")}
        assert set(await alerts(risk, "withdrawn")) == {("after", "uncertified_institution")}

    async def test_of_one_order_are_judged_each(self, risk: Service) -> None:
        await register(risk)

        await handle(risk, [paid("split", through(), through("pay", "hawala"), through("nobody", None))])

        assert await alerts(risk) == {
            ("split", "uncertified_channel"): ["institution:pay", "channel:hawala", f"paid:{TODAY}"],
            ("split", "unknown_institution"): ["institution:nobody", f"paid:{TODAY}"],
        }

    async def test_count_for_their_institution(self, risk: Service) -> None:
        await register(risk)
        recent, pair = utc_now() - timedelta(days=1), through("pay", "hawala")
        await handle(risk, [msgspec.structs.replace(paid(ref, pair), placed_at=recent) for ref in "ab"])

        assert (await risk.get("/v1/institutions/pay")).json()["open_alerts"] == {"uncertified_channel": 2}

    async def test_can_be_tried_on_history_from_before_they_were_judged(self, risk: Service) -> None:
        """Features kept before there were these have no column of them: they are unknown there."""
        await handle(risk, [paid("old")])
        [row] = await risk.rows("SELECT id, content FROM feature_batches WHERE stream = 'transactions'")
        await drop_columns(risk, row)

        answer = await risk.post("/v1/rules/uncertified_channel/1/backtest", {}, Role.REGULATOR)

        assert answer.status_code == 200, answer.text
        assert (answer.json()["rows"], answer.json()["hits"]) == (1, 0)


async def drop_columns(service: Service, row: Any) -> None:
    """Let a kept batch have the columns it had before the registry."""
    content = BytesIO()
    pl.read_ipc(row["content"]).drop(FEATURES).write_ipc(content)
    await service.rows("UPDATE feature_batches SET content = $2 WHERE id = $1", row["id"], content.getvalue())
