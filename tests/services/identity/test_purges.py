"""Retention and purges: refused early, done for good in steps that a crash may break off, certified."""

from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from services.identity import purges, retention, reverification
from services.identity.purges import Asked, Purging
from services.identity.vault import Vault
from shared.auth import Role
from shared.clock_store import fire_due
from shared.database import transaction
from shared.events.identity import OperatorPurged, RetentionEnded
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_deregistered, operator_registered
from tests.services.identity.searches import found
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

SHOP = account_id("north", "shop")
LONG_AGO, OF_LATE = "2022-02-10T00:00:00Z", "2026-02-10T00:00:00Z"


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json) -> None:
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)


async def left(service: Service, at: str) -> str:
    """Let a merchant register and leave; return its operator."""
    await told(service, operator_registered(time="2021-06-01T00:00:00Z"), operator_deregistered("left", time=at))
    (row,) = await service.rows("SELECT DISTINCT operator_id FROM accounts")
    return str(row["operator_id"])


async def purged(service: Service, role: Role = Role.ADMINISTRATOR) -> tuple[int, Json]:
    answer = await service.post("/v1/purges", {"account_id": str(SHOP)}, role)
    return answer.status_code, answer.json()


async def certificate(service: Service, token: str) -> Json:
    answer = await service.client.post("/public/v1/purges/verification", json={"certificate": token})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def representative(service: Service, operator: str) -> Json:
    asked = {"operator_id": operator, "purpose": "inspection", "reason": "case 9", "fields": ["representative"]}
    answer = await service.post("/v1/personal-reads", asked, Role.INSPECTOR)
    found: Json = answer.json()["accounts"][0]
    return found


class TestRetention:
    async def test_of_three_years_ends_at_the_last_midnight_and_is_told_once(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(time="2021-06-01T00:00:00Z"),
            operator_deregistered("left", time="2022-03-10T00:00:00Z"),
        )
        firing = {**reverification.FIRING, retention.KIND: retention.on_ended}

        for _ in "ab":
            async with transaction(identity.sessions) as session:
                await fire_due(session, firing, now=datetime(2026, 1, 1, tzinfo=UTC), source="identity")

        (ended,) = await identity.published(RetentionEnded)
        # The tenth of March 2025 is a Monday; its midnight is in China.
        assert "2025-03-10T16:00:00" in str(ended)

    async def test_was_two_years_under_the_older_law(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(time="2019-06-01T00:00:00Z"),
            operator_deregistered("left", time="2020-06-01T08:00:00Z"),
        )

        (clock,) = await identity.rows("SELECT last_day FROM clocks WHERE kind = 'retention'")
        assert str(clock["last_day"]) == "2022-06-01"

    async def test_stops_when_the_platform_opens_the_account_again(self, identity: Service) -> None:
        await left(identity, LONG_AGO)
        await told(identity, operator_changed(time="2022-03-01T00:00:00Z"))

        status, answer = await purged(identity)

        assert status == 409
        assert "active" in answer["detail"]


class TestPurge:
    async def test_is_refused_before_the_law_lets_go(self, identity: Service) -> None:
        operator = await left(identity, OF_LATE)

        status, answer = await purged(identity)

        assert status == 409
        assert "2029-02-" in answer["detail"]
        assert "art. 31" in answer["detail"]
        assert (await representative(identity, operator))["fields"] == {"representative": "Li Lei"}

    async def test_leaves_nothing_that_opens_and_a_certificate(self, identity: Service) -> None:
        operator = await left(identity, LONG_AGO)

        status, answer = await purged(identity)

        said = await certificate(identity, answer["certificate"])
        assert (status, answer["generations"]) == (201, [1])
        assert (said["holds"], said["account_id"], said["keys_destroyed"]) == (True, str(SHOP), [1])
        assert await representative(identity, operator) == {
            "account_id": str(SHOP),
            "platform_id": "north",
            "operator_ref": "shop",
            "fields": {},
            "destroyed": ["representative"],
        }
        for table in ("value_holders", "link_sketches", "shop_addresses"):
            assert await identity.rows(f"SELECT * FROM {table}") == []  # noqa: S608 - our own names
        assert len(await identity.published(OperatorPurged)) == 1

    async def test_spares_what_another_account_of_the_operator_says(self, identity: Service) -> None:
        await told(identity, operator_registered(operator_ref="other", representative="Han Mei"))
        await left(identity, LONG_AGO)

        status, _ = await purged(identity)

        (other,) = await identity.rows("SELECT operator_ref, length(held) / 8 AS values FROM link_sketches")
        held = await identity.rows("SELECT * FROM value_holders")
        assert (status, other["operator_ref"], len(held)) == (201, "other", other["values"])

    async def test_takes_names_of_before_along_and_leaves_the_last_one(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(time="2021-06-01T00:00:00Z", legal_name="Blue Lantern Ltd"),
            operator_changed(time="2021-07-01T00:00:00Z", legal_name="Red Harbour Ltd"),
            operator_deregistered("left", time=LONG_AGO),
        )
        asked = {"name": "blue lantern", "former": True}
        assert len(await found(identity, **asked)) == 1

        await purged(identity)

        assert await found(identity, **asked) == []
        assert await found(identity, name="blue lantern", as_of="2021-06-15T00:00:00Z") == []
        assert len(await found(identity, name="red harbour")) == 1
        for table in ("searched_before", "name_pieces_before"):
            assert await identity.rows(f"SELECT * FROM {table}") == []  # noqa: S608 - our own names
        counted = await identity.rows("SELECT piece FROM name_piece_counts WHERE accounts <> 0 ORDER BY 1")
        assert counted == await identity.rows("SELECT unnest(pieces) AS piece FROM name_pieces ORDER BY 1")

    async def test_again_is_the_same_one(self, identity: Service) -> None:
        await left(identity, LONG_AGO)

        first, second = await purged(identity), await purged(identity)

        assert first == second
        assert len(await identity.published(OperatorPurged)) == 1

    async def test_that_breaks_off_after_the_keys_are_gone_is_finished_by_the_worker(self, identity: Service) -> None:
        await left(identity, LONG_AGO)
        vault: Vault = identity.app.state.vault
        async with transaction(identity.sessions) as session:
            begun = await purges._begin(session, vault, Asked(SHOP, "officer", datetime.now(UTC)))
        await vault.keys.destroy(SHOP, [1], at=datetime.now(UTC))

        worker = Purging(identity.sessions, vault)
        done = [await worker.once(), await worker.once()]

        shown = (await identity.get(f"/v1/purges/{begun.id}")).json()
        assert done == [1, 0]
        assert shown["generations"] == [1], "as they were when it began"
        assert (await certificate(identity, shown["certificate"]))["keys_destroyed"] == [1]

    async def test_that_breaks_off_spares_what_the_account_says_when_it_is_opened_again(
        self, identity: Service
    ) -> None:
        operator = await left(identity, LONG_AGO)
        vault: Vault = identity.app.state.vault
        async with transaction(identity.sessions) as session:
            await purges._begin(session, vault, Asked(SHOP, "officer", datetime.now(UTC)))
        await vault.keys.destroy(SHOP, [1], at=datetime.now(UTC))
        await told(identity, operator_changed(time=OF_LATE, representative="Han Mei"))

        await Purging(identity.sessions, vault).once()

        (account,) = await identity.rows("SELECT state FROM accounts")
        assert (await representative(identity, operator))["fields"] == {"representative": "Han Mei"}
        assert account["state"] == "active"
        assert await identity.rows("SELECT * FROM link_sketches") != []

    async def test_is_refused_for_an_account_that_was_opened_again_and_lapsed(self, identity: Service) -> None:
        await left(identity, LONG_AGO)
        await told(identity, operator_changed(time="2022-03-01T00:00:00Z"))
        await identity.rows("UPDATE accounts SET state = 'lapsed'")
        lapsed = await purged(identity)
        # Even called ended, the period that was begun back then was stopped.
        await identity.rows("UPDATE accounts SET state = 'deregistered'")
        stopped = await purged(identity)

        assert (lapsed[0], "lapsed" in lapsed[1]["detail"]) == (409, True)
        assert (stopped[0], "met" in stopped[1]["detail"]) == (409, True)

    async def test_waits_while_the_period_stands_still(self, identity: Service) -> None:
        await left(identity, LONG_AGO)
        await identity.rows("UPDATE clocks SET state = 'paused', due_at = NULL WHERE kind = 'retention'")

        status, answer = await purged(identity)

        assert status == 409
        assert "paused" in answer["detail"]

    async def test_is_for_administrators_and_of_known_accounts(self, identity: Service) -> None:
        assert (await purged(identity, Role.REGULATOR))[0] == 403
        assert (await purged(identity))[0] == 404


class TestCertificate:
    async def test_that_is_changed_or_another_thing_is_forged(self, identity: Service) -> None:
        await left(identity, LONG_AGO)
        _, answer = await purged(identity)
        head, payload, signature = answer["certificate"].split(".")

        found: list[Any] = [
            (await certificate(identity, text))["holds"]
            for text in (f"{head}.{payload[:-2]}AA.{signature}", "nonsense", f"{head}.{payload}.")
        ]

        assert found == [False, False, False]
