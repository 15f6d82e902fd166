"""Risk's door for declarations: who may state what, and which values cannot be."""

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.risk.intake import INGEST
from shared.auth import Role
from shared.clock import utc_now
from shared.events.catalogue import platform_types
from tests.services.doors import OpenService, Service
from tests.services.platform_events import event, send
from tests.services.risk.declaring import cleared, inspected, lodged, of_customs, post


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


DAY_AFTER_TOMORROW = (utc_now() + timedelta(days=2)).date().isoformat()


class TestLodging:
    @pytest.mark.parametrize(
        ("data", "code", "field"),
        [
            ({"net_g": 2_601}, "net_over_gross", "net_g"),
            ({"net_g": 0}, "out_of_range", "net_g"),
            ({"gross_g": 10**9 + 1}, "out_of_range", "gross_g"),
            ({"gross_g": 2.5}, "wrong_type", "gross_g"),
            ({"value_minor": -1}, "negative_amount", "value_minor"),
            ({"tax_rate_bp": 100_001}, "out_of_range", "tax_rate_bp"),
            ({"hs_code": "87089"}, "invalid_hs_code", "hs_code"),
            ({"hs_code": "87089912345"}, "invalid_hs_code", "hs_code"),
            ({"hs_code": "8708.99"}, "invalid_hs_code", "hs_code"),
            ({"hs_code": "٨٧٠٨٩٩"}, "invalid_hs_code", "hs_code"),
            ({"hs_code": "770100"}, "unknown_hs_chapter", "hs_code"),
            ({"hs_code": "001234"}, "unknown_hs_chapter", "hs_code"),
            ({"origin_country": "XX"}, "unknown_country", "origin_country"),
            ({"departure_country": "nl"}, "unknown_country", "departure_country"),
            ({"departure_country": "NLD"}, "wrong_length", "departure_country"),
            ({"currency": "XYZ"}, "unknown_currency", "currency"),
            ({"mode": "C2B"}, "invalid_value", "mode"),
            ({"lodged_on": DAY_AFTER_TOMORROW}, "date_in_future", "lodged_on"),
            ({"lodged_on": "1989-12-31"}, "date_out_of_range", "lodged_on"),
            ({"lodged_on": "2026-02-30"}, "invalid_time", "lodged_on"),
        ],
    )
    async def test_with_a_value_that_cannot_be_is_refused_alone(
        self, risk: Service, data: dict[str, Any], code: str, field: str
    ) -> None:
        good = lodged(2)

        (refused,) = await post(risk, lodged(1, **data), good)

        assert (refused["index"], refused["code"], refused["pointer"]) == (0, code, f"/data/{field}")
        assert [row["event_id"] for row in await risk.rows("SELECT event_id FROM accepted_events")] == [good["id"]]

    @pytest.mark.parametrize("code", ["870899", "0101210000", "8708991", "9804000000", "990000"])
    async def test_takes_codes_of_six_to_ten_digits_of_every_chapter_there_is(self, risk: Service, code: str) -> None:
        assert await post(risk, lodged(hs_code=code)) == []

    async def test_names_what_is_missing(self, risk: Service) -> None:
        nameless = lodged()
        del nameless["data"]["importer_ref"]

        (refused,) = await post(risk, nameless)

        assert (refused["code"], refused["pointer"]) == ("missing_field", "/data/importer_ref")


class TestInspection:
    @pytest.mark.parametrize(
        ("data", "code", "field"),
        [
            ({"result": "fine"}, "invalid_value", "result"),
            ({"violation": "bad luck"}, "invalid_value", "violation"),
            ({"result": "conforming", "violation": "quantity"}, "contradiction", "violation"),
            ({"inspected_on": DAY_AFTER_TOMORROW}, "date_in_future", "inspected_on"),
            ({"inspected_on": "1900-01-01"}, "date_out_of_range", "inspected_on"),
            ({"note": "x" * 2_001}, "wrong_length", "note"),
        ],
    )
    async def test_with_a_value_that_cannot_be_is_refused(
        self, risk: Service, data: dict[str, Any], code: str, field: str
    ) -> None:
        (refused,) = await post(risk, inspected(**data))

        assert (refused["code"], refused["pointer"]) == (code, f"/data/{field}")


class TestClearance:
    async def test_with_a_final_value_that_cannot_be_is_refused(self, risk: Service) -> None:
        refused = await post(risk, cleared(currency="XYZ"), cleared(hs_code="7701"), cleared(cleared_at="2026-03-04"))

        assert [(one["code"], one["pointer"]) for one in refused] == [
            ("unknown_currency", "/data/currency"),
            ("invalid_hs_code", "/data/hs_code"),
            ("invalid_time", "/data/cleared_at"),
        ]


class TestSender:
    async def test_is_a_customs_system_under_its_own_name(self, risk: Service) -> None:
        own = of_customs("customs.declaration.lodged.v1", lodged()["data"])
        others = {**own, "id": "others", "source": "/customs/another"}
        platforms = {**own, "id": "platforms", "source": "/platforms/north"}

        answer = await send(risk, [own, others, platforms], headers=risk.bearer(Role.CUSTOMS, subject="gate"))

        assert answer.json()["accepted"] == 1
        assert [one["code"] for one in answer.json()["rejected"]] == ["foreign_source"] * 2

    async def test_cannot_speak_for_customs_as_a_platform(self, risk: Service) -> None:
        answer = await send(risk, [inspected()])

        assert [one["code"] for one in answer.json()["rejected"]] == ["foreign_source"]

    async def test_cannot_state_another_platforms_declaration(self, risk: Service) -> None:
        strangers = lodged()
        strangers["data"]["platform_id"] = "south"

        (refused,) = await post(risk, strangers)

        assert (refused["code"], refused["pointer"]) == ("foreign_platform", "/data/platform_id")

    async def test_is_no_platform_that_is_called_like_a_customs_system(self, risk: Service) -> None:
        answer = await send(risk, [lodged()], platform_id="customs:gate")

        assert answer.status_code == 403

    async def test_is_none_of_those_who_only_read(self, risk: Service) -> None:
        for role in set(Role) - {Role.PLATFORM, Role.CUSTOMS}:
            assert (await send(risk, [lodged()], headers=risk.bearer(role))).status_code == 403

    async def test_of_other_services_is_never_customs(self, open_service: OpenService) -> None:
        listings = await open_service("listings")

        assert (await send(listings, [], headers=listings.bearer(Role.CUSTOMS))).status_code == 403


async def test_what_others_take_is_not_taken_here(open_service: OpenService) -> None:
    risk = await open_service("risk")

    (refused,) = await post(risk, event("order.placed", {}))

    assert (refused["code"], refused["pointer"]) == ("unknown_type", "/type")
    assert INGEST.types == {kind.type for kind in platform_types("risk")}
