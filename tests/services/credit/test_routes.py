"""Credit's HTTP door: who may read what, and pages."""

import pytest_asyncio

from services.credit.handlers import HANDLERS
from shared.auth import Role
from shared.events.catalogue import PUBLISHED
from shared.events.duties import RemovalCarriedOut, RemovalEscalated, RemovalOrdered, RemovalWithdrawn
from shared.events.identity import (
    BadgeIssued,
    BadgeRevoked,
    DisplayCorrected,
    DisplayViolated,
    FileChanged,
    OperatorCleared,
    OperatorLapsed,
    OperatorPurged,
    OperatorReturned,
    RetentionEnded,
    VerificationDue,
)
from shared.identifiers import new_id
from shared.topics import SUBSCRIPTIONS
from tests.services.credit.factories import OWNER, alert_raised, day, linked
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle

READERS = {Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR}


@pytest_asyncio.fixture
async def credit(open_service: OpenService) -> Service:
    service = await open_service("credit")
    await handle(service, [linked(), *(alert_raised(str(n), at=day(n)) for n in range(5))])
    return service


class TestProfiles:
    async def test_are_for_those_who_supervise(self, credit: Service) -> None:
        for role in Role:
            for path in ("/v1/profiles", f"/v1/profiles/{OWNER}", "/v1/summary"):
                answer = await credit.get(path, role, platform_id="north")

                assert answer.status_code == (200 if role in READERS else 403)

    async def test_are_paged_by_operator(self, credit: Service) -> None:
        others = [new_id() for _ in range(4)]
        await handle(credit, [linked(new_id(), operator) for operator in others])

        seen: list[str] = []
        path: str | None = "/v1/profiles?limit=2"
        while path is not None:
            page = (await credit.get(path)).json()
            seen += [item["operator_id"] for item in page["items"]]
            path = f"/v1/profiles?limit=2&cursor={page['next']}" if page["next"] else None

        assert seen == sorted(map(str, [OWNER, *others]))

    async def test_of_nobody_are_not_found(self, credit: Service) -> None:
        for path in ("/v1/profiles/{}", "/v1/profiles/{}/facts", "/v1/profiles/{}/explanation"):
            assert (await credit.get(path.format(new_id()))).status_code == 404


class TestFacts:
    async def test_are_paged_newest_first(self, credit: Service) -> None:
        seen: list[str] = []
        path: str | None = f"/v1/profiles/{OWNER}/facts?limit=2"
        while path is not None:
            page = (await credit.get(path)).json()
            seen += [item["occurred_at"] for item in page["items"]]
            following = page["next"]
            path = f"/v1/profiles/{OWNER}/facts?limit=2&cursor={following}" if following else None

        assert len(seen) == 5
        assert seen == sorted(seen, reverse=True)


class TestPublic:
    async def test_is_a_level_and_nothing_else(self, credit: Service) -> None:
        shown = (await credit.client.get(f"/public/v1/operators/{OWNER}")).json()

        assert set(shown) == {"operator_id", "level", "as_of"}

    async def test_of_nobody_is_not_found(self, credit: Service) -> None:
        assert (await credit.client.get(f"/public/v1/operators/{new_id()}")).status_code == 404


# Alerts of risk say what of these counts; counted here too it would count twice.
LEFT = {
    *(OperatorLapsed, OperatorReturned, OperatorCleared, RetentionEnded, OperatorPurged, BadgeIssued, BadgeRevoked),
    VerificationDue,
    *(RemovalOrdered, RemovalCarriedOut, RemovalWithdrawn, RemovalEscalated, FileChanged),
    *(DisplayViolated, DisplayCorrected),
}


def test_every_event_of_the_topics_that_credit_reads_has_a_handler_or_is_left_on_purpose() -> None:
    read = {kind for kind in PUBLISHED if kind.topic in SUBSCRIPTIONS["credit"]}

    assert set(HANDLERS) | LEFT == read
    assert not set(HANDLERS) & LEFT
