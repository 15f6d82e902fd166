"""What is known of a key, by risk's door: as of a moment, from what is stored, with its open alerts."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from services.risk.sightings import SLOTS
from services.risk.window_store import Slots
from services.risk.windows import key_of
from shared.auth import Role
from shared.database import kept
from shared.database import transaction as in_transaction
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED
from tests.services.risk.test_activity import order, pass_on


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def ask(service: Service, kind: str, ref: str, **query: str) -> Any:
    asked = "&".join(f"{name}={quote(value)}" for name, value in {"platform_id": "north", **query}.items())
    return await service.get(f"/v1/keys/{kind}/{quote(ref, safe='')}?{asked}")


async def known(service: Service, kind: str, ref: str, **query: str) -> Any:
    answer = await ask(service, kind, ref, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def after(**span: float) -> str:
    return (PLACED + timedelta(**span)).isoformat()


class TestKnownKey:
    async def test_has_what_it_did_in_each_window_and_when(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref="shared") for number in range(3)])
        await handle(risk, [order(60 * 30, device_ref="shared")])
        await pass_on(risk)

        found = await known(risk, "device", "shared")

        features = found["features"]
        assert [features[f"orders_{window}"] for window in ("1h", "24h", "7d", "30d")] == [1, 1, 4, 4]
        assert features["partners_7d"] == 4
        assert features["value_7d_minor"] == 4 * features["value_24h_minor"] > 0
        assert features["seen"] == 4
        assert 1 < features["usual_acts"] < 4
        assert (datetime.fromisoformat(found["first_seen_at"]), found["is_first"]) == (PLACED, True)
        assert found["last_seen_at"] == found["as_of"]
        assert (found["count_error_share"], found["partners_are_exact"]) == (0, True)

    async def test_is_as_of_a_moment_and_not_of_one_that_nothing_was_seen_of(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref="shared") for number in range(3)])
        slot = key_of("device", "north", "shared") % SLOTS
        beside = next(n for n in range(9_999) if key_of("device", "north", f"d{n}") % SLOTS == slot)
        await handle(risk, [order(60 * 24 * 3, device_ref=f"d{beside}")])
        await pass_on(risk)

        soon = await known(risk, "device", "shared", as_of=after(hours=2))
        late = await known(risk, "device", "shared", as_of=after(days=300))

        assert datetime.fromisoformat(soon["as_of"]) == PLACED + timedelta(hours=2)
        assert [soon["features"][f"orders_{window}"] for window in ("1h", "24h")] == [0, 3]
        assert soon["features"]["since_last_s"] == 2 * 3_600 - 120
        assert datetime.fromisoformat(late["as_of"]) == PLACED + timedelta(days=3)
        assert [late["features"][f"orders_{window}"] for window in ("24h", "7d")] == [0, 3]
        assert late == await known(risk, "device", "shared")

    async def test_before_its_newest_act_is_refused(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref="shared") for number in range(3)])
        await pass_on(risk)

        answer = await ask(risk, "device", "shared", as_of=after(minutes=1))

        assert (answer.status_code, answer.json()["pointer"]) == (422, "/query/as_of")
        assert "newest act" in answer.json()["detail"]
        last = (await known(risk, "device", "shared"))["last_seen_at"]
        assert (await known(risk, "device", "shared", as_of=last))["as_of"] == last

    @pytest.mark.parametrize("as_of", ["yesterday", "2026-03-02T10:00:00", "0001-01-01T00:00:00Z"])
    async def test_of_no_moment_is_refused(self, risk: Service, as_of: str) -> None:
        assert (await ask(risk, "device", "shared", as_of=as_of)).status_code == 422

    async def test_is_there_of_every_kind_and_of_names_with_slashes(self, risk: Service) -> None:
        paid: dict[str, Any] = {"payments": 1, "payer_ref": "p", "paid_at": PLACED}
        sent = {"parcels": 1, "courier": "c", "waybill_refs": ["w/1"], "shipped_at": PLACED}
        first = order(1, buyer="老王/b", device_ref="d", address_ref="a", **paid, **sent)
        await handle(risk, [first])
        await pass_on(risk)
        assert first.trade is not None
        account = str(first.trade.account_id)

        for kind, ref in [
            ("buyer", "老王/b"),
            ("device", "d"),
            ("address", "a"),
            ("payer", "p"),
            ("courier", "c"),
            ("waybill", "w/1"),
            ("account", account),
            ("pair", f"{account}/老王/b"),
            ("listing", "lamp"),
        ]:
            found = await known(risk, kind, ref)
            assert (found["kind"], found["ref"], found["features"]["orders_30d"]) == (kind, ref, 1)

    async def test_has_its_open_alerts(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref="shared") for number in range(5)])
        await pass_on(risk)

        (alert,) = (await known(risk, "device", "shared"))["alerts"]
        assert (alert["rule"], alert["evidence"][0]) == ("device_buyers_week", "device:shared")
        await risk.post(f"/v1/alerts/{alert['id']}/verdict", {"verdict": "false_alarm"}, Role.REGULATOR)

        assert (await known(risk, "device", "shared"))["alerts"] == []

    async def test_is_the_same_before_and_after_a_snapshot(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref=f"d{number % 40}") for number in range(400)])
        await pass_on(risk)
        before = await known(risk, "device", "d7")
        slot = key_of("device", "north", "d7") % SLOTS
        async with in_transaction(risk.sessions) as session:
            slots = kept(session, Slots)
            await slots.take(session, [slot])
            one = slots._kept[slot]
            await risk.rows(
                "INSERT INTO window_snapshots (slot, version, keys, evicted, content) VALUES ($1, $2, 1, 0, $3)",
                slot,
                one.version,
                one.windows.pack(),
            )

        assert (before["count_error_share"], before["features"]["orders_24h"]) == (0, 10)
        assert await known(risk, "device", "d7") == before
        await risk.rows("DELETE FROM window_batches")
        assert await known(risk, "device", "d7") == before

    async def test_that_was_never_seen_is_not_found(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d")])
        await pass_on(risk)

        for kind, ref, platform in [("device", "e", "north"), ("device", "d", "south"), ("buyer", "d", "north")]:
            assert (await ask(risk, kind, ref, platform_id=platform)).status_code == 404
        assert (await ask(risk, "planet", "d")).status_code == 422

    async def test_is_for_those_who_read_alerts(self, risk: Service) -> None:
        path = "/v1/keys/device/d?platform_id=north"

        assert (await risk.get(path, Role.PLATFORM, platform_id="north")).status_code == 403
        assert (await risk.get(path, Role.CUSTOMS)).status_code == 404
