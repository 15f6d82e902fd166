"""Security incidents: taken at the door, kept as last stated, seen together across platforms."""

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.clock import utc_now
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, event, send

FOUND = "2026-03-02T10:00:00Z"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def incident(number: int = 1, *, platform_id: str = "north", **data: Any) -> Json:
    stated = {
        "incident_ref": f"incident-{number}",
        "kind": "phishing",
        "severity": "medium",
        "affected": 40,
        "found_at": FOUND,
        **data,
    }
    return event("security_incident.reported", stated, platform_id=platform_id)


async def report(service: Service, *incidents: Json) -> list[Json]:
    """Report incidents and let risk apply them; return what the door refused."""
    refused: list[Json] = []
    for one in incidents:
        answer = await send(service, [one], platform_id=one["source"].removeprefix("/platforms/"))
        refused += answer.json()["rejected"]
    await deliver_platform_events(service)
    return refused


async def open_alerts(service: Service) -> list[tuple[str, str]]:
    rows = await service.rows("SELECT rule, platform_id FROM alerts WHERE state = 'open' ORDER BY rule, platform_id")
    return [(row["rule"], row["platform_id"]) for row in rows]


class TestReport:
    @pytest.mark.parametrize(
        ("data", "code", "field"),
        [
            ({"kind": "earthquake"}, "invalid_value", "kind"),
            ({"severity": "grave"}, "invalid_value", "severity"),
            ({"affected": -1}, "out_of_range", "affected"),
            ({"found_at": (utc_now() + timedelta(days=2)).isoformat()}, "date_in_future", "found_at"),
            ({"found_at": "2026-03-02T10:00:00"}, "invalid_time", "found_at"),
        ],
    )
    async def test_with_a_value_that_cannot_be_is_refused_alone(
        self, risk: Service, data: dict[str, Any], code: str, field: str
    ) -> None:
        refused = await report(risk, incident(1, **data), incident(2))

        assert [(one["code"], one["pointer"]) for one in refused] == [(code, f"/data/{field}")]
        kept = (await risk.get("/v1/incidents")).json()["items"]
        assert [one["incident_ref"] for one in kept] == ["incident-2"]

    async def test_stated_anew_replaces_what_was_said(self, risk: Service) -> None:
        await report(risk, incident(affected=40))
        await report(risk, incident(affected=70))

        [kept] = (await risk.get("/v1/incidents?kind=phishing")).json()["items"]
        assert kept["affected"] == 70

    async def test_is_seen_by_its_platform_and_by_no_other(self, risk: Service) -> None:
        await report(risk, incident(1), incident(2, platform_id="south"))

        own = (await risk.get("/v1/incidents", Role.PLATFORM, platform_id="south")).json()["items"]

        assert [one["incident_ref"] for one in own] == ["incident-2"]


class TestSevere:
    async def test_raises_an_alert_and_a_milder_statement_clears_it(self, risk: Service) -> None:
        await report(risk, incident(severity="critical", kind="data_breach"))
        assert await open_alerts(risk) == [("incident_severe", "north")]

        await report(risk, incident(severity="low", kind="data_breach"))

        assert await open_alerts(risk) == []

    async def test_counts_the_persons_affected(self, risk: Service) -> None:
        await report(risk, incident(1, affected=100_000), incident(2, affected=99_999, kind="malware"))

        assert await open_alerts(risk) == [("incident_severe", "north")]


class TestWave:
    async def test_over_several_platforms_is_alerted_at_each_with_the_others_named(self, risk: Service) -> None:
        first = incident(1)
        later = incident(2, platform_id="south", found_at="2026-03-04T22:00:00Z")

        await report(risk, first, later)

        assert await open_alerts(risk) == [("incident_wave", "north"), ("incident_wave", "south")]
        ids = {f"incident:{one['id']}" for one in (await risk.get("/v1/incidents")).json()["items"]}
        alerts = (await risk.get("/v1/alerts?rule=incident_wave")).json()["items"]
        assert [set(one["evidence"]) for one in alerts] == [ids, ids]

    @pytest.mark.parametrize("other", [{"found_at": "2026-03-06T10:00:01Z"}, {"kind": "malware"}])
    async def test_is_none_of_other_kinds_or_days(self, risk: Service, other: dict[str, Any]) -> None:
        await report(risk, incident(1), incident(2, platform_id="south", **other))

        assert await open_alerts(risk) == []

    async def test_is_seen_on_one_platform_too_when_there_are_many(self, risk: Service) -> None:
        await report(risk, *(incident(n) for n in range(4)))

        assert await open_alerts(risk) == [("incident_wave", "north")] * 4

    async def test_reported_again_changes_nothing(self, risk: Service) -> None:
        await report(risk, incident(1), incident(2, platform_id="south"))
        before = await risk.rows("SELECT id, state, raised_at FROM alerts ORDER BY id")

        await report(risk, incident(1), incident(2, platform_id="south"))

        assert await risk.rows("SELECT id, state, raised_at FROM alerts ORDER BY id") == before
