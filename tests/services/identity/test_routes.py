"""The register's answers: files with their versions, as of any instant, to those who may see them."""

from uuid import UUID

import pytest_asyncio

from shared.auth import Role
from shared.events.catalogue import SENT
from shared.events.identity import (
    OperatorDeregistered,
    OperatorLinked,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.identifiers import account_id, operator_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import (
    USCC,
    operator_changed,
    operator_deregistered,
    operator_registered,
)
from tests.services.inbox import HANDLERS, deliver_platform_events
from tests.services.platform_events import Json, send

SHOP = account_id("north", "shop")
LEGAL_ENTITY = operator_id("CN", "uscc", USCC)


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json, platform_id: str = "north") -> None:
    answer = await send(service, list(events), platform_id=platform_id)
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


class TestGetOperator:
    async def test_shows_the_version_of_the_instant_asked_for(self, identity: Service) -> None:
        first = operator_registered(time="2026-01-01T00:00:00Z", legal_name="Old Name")
        second = operator_changed(time="2026-02-01T00:00:00Z", legal_name="New Name")
        await told(identity, first, second)
        path = f"/v1/operators/{LEGAL_ENTITY}"

        now = await identity.get(path)
        then = await identity.get(f"{path}?as_of=2026-01-15T00:00:00Z")
        before = await identity.get(f"{path}?as_of=2025-12-31T00:00:00Z")

        assert now.json()["accounts"][0]["content"]["legal_name"] == "New Name"
        assert now.json()["accounts"][0]["version"] == 2
        assert then.json()["accounts"][0]["content"]["legal_name"] == "Old Name"
        assert before.status_code == 404

    async def test_refuses_an_instant_that_cannot_be(self, identity: Service) -> None:
        for instant in ("2026-01-15T00:00:00", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "now"):
            answer = await identity.get(f"/v1/operators/{LEGAL_ENTITY}?as_of={instant}")

            assert answer.status_code == 422

    async def test_follows_an_account_to_another_legal_entity(self, identity: Service) -> None:
        registered = operator_registered(time="2026-01-01T00:00:00Z")
        sold = operator_changed(
            time="2026-02-01T00:00:00Z", registration={"scheme": "uscc", "number": "91310000132612172J"}
        )
        await told(identity, registered, sold)

        then = await identity.get(f"/v1/operators/{LEGAL_ENTITY}?as_of=2026-01-15T00:00:00Z")
        now = await identity.get(f"/v1/operators/{LEGAL_ENTITY}")
        buyer = await identity.get(f"/v1/lookup?account={SHOP}")

        assert (then.status_code, now.status_code) == (200, 404)
        assert UUID(buyer.json()["id"]) == operator_id("CN", "uscc", "91310000132612172J")
        linked = await identity.published(OperatorLinked)
        assert len(linked) == 2

    async def test_follows_files_that_came_late_to_their_own_days(self, identity: Service) -> None:
        number = {"scheme": "uscc", "number": "91310000132612172J"}
        other = operator_id("CN", "uscc", number["number"])
        await told(identity, operator_registered(time="2026-03-01T00:00:00Z"))
        await told(identity, operator_changed(time="2026-01-01T00:00:00Z"))

        async def held_by(which: UUID, *days: str) -> list[bool]:
            answers = [await identity.get(f"/v1/operators/{which}?as_of=2026-{day}T00:00:00Z") for day in days]
            return [answer.status_code == 200 for answer in answers]

        assert await held_by(LEGAL_ENTITY, "01-15", "03-15") == [True, True]

        # What came last holds from its own day on.
        await told(identity, operator_changed(time="2026-02-01T00:00:00Z", registration=number))
        assert await held_by(LEGAL_ENTITY, "01-15", "02-15", "03-15") == [True, False, False]
        assert await held_by(other, "01-15", "02-15", "03-15") == [False, True, True]
        assert (await identity.get(f"/v1/lookup?account={SHOP}")).json()["id"] == str(other)

        await told(identity, operator_changed(time="2026-01-10T00:00:00Z"))
        assert await held_by(LEGAL_ENTITY, "01-15", "02-15", "03-15") == [True, True, True]
        assert await held_by(other, "01-15", "02-15", "03-15") == [False, False, False]
        links = await identity.rows("SELECT linked_from, linked_to FROM account_links")
        assert [(row["linked_from"].isoformat(), row["linked_to"]) for row in links] == [
            ("2026-01-01T00:00:00+00:00", None)
        ]

    async def test_unites_the_accounts_of_one_number(self, identity: Service) -> None:
        await told(identity, operator_registered())
        await told(identity, operator_registered(platform_id="south", operator_ref="stall"), platform_id="south")

        regulator = await identity.get(f"/v1/operators/{LEGAL_ENTITY}")
        platform = await identity.get(f"/v1/operators/{LEGAL_ENTITY}", Role.PLATFORM, platform_id="south")

        assert {a["platform_id"] for a in regulator.json()["accounts"]} == {"north", "south"}
        assert [a["operator_ref"] for a in platform.json()["accounts"]] == ["stall"]


class TestVerdicts:
    async def test_are_published_with_their_reasons(self, identity: Service) -> None:
        good = operator_registered(operator_ref="good")
        wrong = operator_registered(operator_ref="wrong", registration={"scheme": "uscc", "number": USCC[:-1] + "A"})
        expired = operator_registered(operator_ref="expired", licence={"number": "L-1", "expires_on": "2025-01-01"})
        unknown = operator_registered(operator_ref="unknown", registration={"scheme": "crown", "number": "1"})
        await told(identity, good, wrong, expired, unknown)

        verified = await identity.published(OperatorVerified)
        rejected = await identity.published(OperatorRejected)
        unverified = await identity.published(OperatorUnverified)
        summary = (await identity.get("/v1/summary")).json()

        assert [len(verified), len(rejected), len(unverified)] == [1, 2, 1]
        assert summary["verdicts"] == {"verified": 1, "rejected": 2, "unverified": 1}
        assert summary["reasons"] == {
            "licence_expired": 1,
            "number_wrong_check_digit": 1,
            "scheme_unknown": 1,
        }


class TestDeregistration:
    async def test_keeps_the_file_and_says_why(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(time="2026-01-01T00:00:00Z"),
            operator_deregistered("banned", time="2026-02-01T00:00:00Z"),
        )

        shown = (await identity.get(f"/v1/operators/{LEGAL_ENTITY}")).json()["accounts"][0]
        (ended,) = await identity.published(OperatorDeregistered)

        assert (shown["state"], shown["content"]["legal_name"]) == ("banned", "Lamp Trading Ltd")
        assert b'"reason":"banned"' in bytes(ended.data)

    async def test_of_an_unknown_account_is_quarantined_alone(self, identity: Service) -> None:
        await told(
            identity,
            operator_deregistered("left", time="2026-01-01T00:00:00Z"),
            operator_registered(operator_ref="other", time="2026-01-01T00:00:00Z"),
        )

        (refused,) = await identity.rows("SELECT code, detail FROM quarantine")
        assert refused["code"] == "handler_failed"
        assert "never registered" in refused["detail"]
        assert (await identity.get("/v1/summary")).json()["accepted"] == {"operators": 1}


class TestLookup:
    async def test_finds_by_account_or_by_number(self, identity: Service) -> None:
        await told(identity, operator_registered())

        by_account = await identity.get(f"/v1/lookup?account={SHOP}")
        by_number = await identity.get(f"/v1/lookup?number={USCC}")

        assert by_account.json()["id"] == by_number.json()["id"] == str(LEGAL_ENTITY)

    async def test_refuses_both_and_neither(self, identity: Service) -> None:
        neither = await identity.get("/v1/lookup")
        both = await identity.get(f"/v1/lookup?account={SHOP}&number=1")

        assert neither.status_code == both.status_code == 422


class TestListOperators:
    async def test_pages_through_all_of_them_once(self, identity: Service) -> None:
        shops = [operator_registered(operator_ref=f"shop-{n}", registration=None) for n in range(5)]
        await told(identity, *shops)

        seen: list[str] = []
        path: str | None = "/v1/operators?limit=2"
        while path is not None:
            page = (await identity.get(path)).json()
            seen += [item["id"] for item in page["items"]]
            path = f"/v1/operators?limit=2&cursor={page['next']}" if page["next"] else None

        assert seen == sorted(str(account_id("north", f"shop-{n}")) for n in range(5))

    async def test_is_not_for_consumers(self, identity: Service) -> None:
        assert (await identity.get("/v1/operators", Role.CONSUMER)).status_code == 403


def test_every_event_that_identity_takes_has_a_handler() -> None:
    taken = {kind for kind in HANDLERS["identity"] if kind in SENT}

    assert taken == {kind for kind in SENT if kind.to == "identity"}
