"""What listings refuses beyond the form, and that one platform never sees another's."""

import asyncpg
import pytest

from shared.auth import Role
from shared.process import plain_url
from tests.services.doors import OpenService
from tests.services.inbox import deliver_platform_events
from tests.services.listings.factories import line, listing_published, order_placed, payment_made
from tests.services.platform_events import send


class TestOrders:
    async def test_are_refused_with_amounts_and_times_that_cannot_be(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        expected = [
            (payment_made(amount_minor=-1), "negative_amount", "/data/amount_minor"),
            (payment_made(amount_minor=2**63), "out_of_range", "/data/amount_minor"),
            (payment_made(amount_minor=10**30), "out_of_range", "/data/amount_minor"),
            (payment_made(amount_minor=1.5), "wrong_type", "/data/amount_minor"),
            (payment_made(currency="XXZ"), "unknown_currency", "/data/currency"),
            (payment_made(currency="cny"), "unknown_currency", "/data/currency"),
            (payment_made(currency="yuan"), "wrong_length", "/data/currency"),
            (payment_made(paid_at="0001-01-01T00:00:00+14:00"), "time_out_of_range", "/data/paid_at"),
            (payment_made(paid_at="2026-03-01T10:00:00"), "invalid_time", "/data/paid_at"),
            (order_placed(lines=[line(quantity=0)]), "out_of_range", "/data/lines/0/quantity"),
            (order_placed(lines=[line(unit_price_minor=-1)]), "negative_amount", "/data/lines/0/unit_price_minor"),
            (order_placed(lines=[line(quantity=10**6, unit_price_minor=10**15)]), "out_of_range", "/data/lines"),
            (order_placed(lines=[line()] * 1_001), "wrong_length", "/data/lines"),
            (order_placed(order_ref=""), "wrong_length", "/data/order_ref"),
        ]

        answer = await send(service, [*(event for event, _, _ in expected), payment_made()])

        rejected = [(r["code"], r["pointer"]) for r in answer.json()["rejected"]]
        assert rejected == [(code, pointer) for _, code, pointer in expected]
        assert answer.json()["accepted"] == 1


class TestPlatforms:
    async def test_do_not_see_each_other(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        ours = [listing_published(), order_placed(), payment_made()]
        await send(service, ours)
        await deliver_platform_events(service)
        asked = ("/v1/listings/north/lamp", "/v1/transactions/north/order")

        for path in asked:
            own = await service.get(path, Role.PLATFORM, platform_id="north")
            strangers = await service.get(path, Role.PLATFORM, platform_id="south")
            assert (own.status_code, strangers.status_code) == (200, 404)

        summaries = [
            (await service.get("/v1/summary", Role.PLATFORM, platform_id=p)).json() for p in ("north", "south")
        ]
        assert [s["accepted"]["orders"] for s in summaries] == [1, 0]
        assert [s["accepted"]["listings"] for s in summaries] == [1, 0]
        assert [sum(s["matching"].values()) for s in summaries] == [1, 0]

    async def test_are_kept_apart_by_the_database_itself(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        await send(service, [listing_published(), order_placed()])
        await deliver_platform_events(service)
        connection = await asyncpg.connect(plain_url(service.settings.database_url))

        protected = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY relname"
        )
        tables = [row["relname"] for row in protected]
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}  # noqa: S608
        await connection.execute("SELECT set_config('crosswatch.platform', 'south', false)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute("INSERT INTO accepted_events VALUES ('north', 'forged', 'hash', 1, 0)")
        updated = await connection.execute("UPDATE transactions SET match = 'matched'")
        await connection.close()

        assert {"accepted_events", "transactions", "listings", "listing_versions", "reviews"} <= set(tables)
        assert set(counts.values()) == {0}
        assert updated == "UPDATE 0"
