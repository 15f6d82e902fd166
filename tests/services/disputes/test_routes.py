"""Complaints: filed once, seen by their parties, ended once."""

import asyncio

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.disputes import ComplaintFiled, ComplaintResolved
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.platform_events import Json


@pytest_asyncio.fixture
async def disputes(open_service: OpenService) -> Service:
    return await open_service("disputes")


def complaint(**fields: object) -> Json:
    return {
        "platform_id": "north",
        "operator_ref": "shop",
        "order_ref": "order",
        "category": "not_delivered",
        "description": "It never came.",
        "desired_outcome": "refund",
        "claimed_minor": 10_000,
        "currency": "CNY",
        **fields,
    }


async def file(service: Service, body: object, *, key: str = "key", subject: str = "buyer") -> tuple[int, Json]:
    who = {**service.bearer(Role.CONSUMER, subject=subject), "idempotency-key": key}
    answer = await service.client.post("/v1/complaints", json=body, headers=who)
    return answer.status_code, answer.json()


async def resolve(service: Service, identifier: str, outcome: str) -> tuple[int, Json]:
    answer = await service.post(
        f"/v1/complaints/{identifier}/resolution", {"outcome": outcome, "note": "Checked."}, Role.REGULATOR
    )
    return answer.status_code, answer.json()


class TestFileComplaint:
    async def test_reaches_the_operators_account(self, disputes: Service) -> None:
        status, filed = await file(disputes, complaint())

        (event,) = await disputes.published(ComplaintFiled)
        assert (status, filed["state"]) == (201, "filed")
        assert filed["account_id"] == str(account_id("north", "shop"))
        assert filed["account_id"].encode() in bytes(event.data)
        assert b"never came" not in bytes(event.data)

    async def test_twice_with_one_key_is_one(self, disputes: Service) -> None:
        first = await file(disputes, complaint())
        second = await file(disputes, complaint())

        assert (first[0], second[0]) == (201, 200)
        assert first[1] == second[1]
        assert len(await disputes.published(ComplaintFiled)) == 1

    async def test_at_the_same_time_with_one_key_is_one(self, disputes: Service) -> None:
        answers = await asyncio.gather(*(file(disputes, complaint()) for _ in range(8)))

        assert sorted(status for status, _ in answers) == [200] * 7 + [201]
        assert len({shown["id"] for _, shown in answers}) == 1

    async def test_refuses_a_key_used_for_another_complaint(self, disputes: Service) -> None:
        await file(disputes, complaint())

        status, refused = await file(disputes, complaint(claimed_minor=1))

        assert (status, refused["code"]) == (409, "conflict")

    async def test_keeps_the_keys_of_consumers_apart(self, disputes: Service) -> None:
        first, _ = await file(disputes, complaint(), subject="one")
        second, _ = await file(disputes, complaint(), subject="another")

        assert first == second == 201

    @pytest.mark.parametrize(
        "wrong",
        [
            {"claimed_minor": -1},
            {"claimed_minor": 2**63},
            {"claimed_minor": 1.5},
            {"currency": "XXZ"},
            {"category": "boring"},
            {"description": "nul \x00"},
            {"description": "x" * 20_001},
            {"operator_ref": ""},
            {"platform_id": "../north"},
            {"platform_id": None},
            {"surprise": 1},
        ],
        ids=str,
    )
    async def test_refuses_what_cannot_be(self, disputes: Service, wrong: Json) -> None:
        status, refused = await file(disputes, complaint(**wrong))

        assert status == 422
        assert refused["pointer"].startswith("/body/")

    async def test_refuses_bodies_that_cannot_be_read(self, disputes: Service) -> None:
        who = {**disputes.bearer(Role.CONSUMER), "idempotency-key": "key", "content-type": "application/json"}
        bodies = [b"", b"{", b"\xff", b"[" * 100_000, b'{"claimed_minor": NaN}', b'{"description": "\\ud800"}']

        for body in bodies:
            answer = await disputes.client.post("/v1/complaints", content=body, headers=who)

            assert answer.status_code in {400, 422}
            assert answer.headers["content-type"] == "application/problem+json"

    async def test_needs_a_key_and_a_consumer(self, disputes: Service) -> None:
        without_key = await disputes.post("/v1/complaints", complaint(), Role.CONSUMER)
        who = {**disputes.bearer(Role.PLATFORM, platform_id="north"), "idempotency-key": "key"}
        platform = await disputes.client.post("/v1/complaints", json=complaint(), headers=who)

        assert (without_key.status_code, platform.status_code) == (422, 403)


class TestResolveComplaint:
    async def test_ends_it_once(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())

        first = await resolve(disputes, filed["id"], "upheld")
        second = await resolve(disputes, filed["id"], "upheld")

        assert first == second
        assert (first[0], first[1]["state"], first[1]["outcome"]) == (200, "resolved", "upheld")
        assert len(await disputes.published(ComplaintResolved)) == 1

    async def test_refuses_another_end(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())
        await resolve(disputes, filed["id"], "upheld")

        status, refused = await resolve(disputes, filed["id"], "dismissed")

        assert (status, refused["code"]) == (409, "conflict")

    async def test_lets_one_of_two_ends_win(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())

        answers = await asyncio.gather(
            *(resolve(disputes, filed["id"], outcome) for outcome in ("upheld", "dismissed"))
        )

        assert sorted(status for status, _ in answers) == [200, 409]
        assert len(await disputes.published(ComplaintResolved)) == 1

    async def test_of_nothing_is_not_found(self, disputes: Service) -> None:
        assert (await resolve(disputes, str(new_id()), "upheld"))[0] == 404

    async def test_is_not_for_consumers(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())

        path = f"/v1/complaints/{filed['id']}/resolution"
        answer = await disputes.post(path, {"outcome": "upheld"}, Role.CONSUMER, subject="buyer")

        assert answer.status_code == 403


class TestVisibility:
    async def test_is_for_the_parties_and_officials(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())
        path = f"/v1/complaints/{filed['id']}"

        async def seen(role: Role, **who: str) -> list[int]:
            one = await disputes.get(path, role, **who)
            steps = await disputes.get(f"{path}/timeline", role, **who)
            listed = await disputes.get("/v1/complaints", role, **who)
            return [one.status_code, steps.status_code, len(listed.json()["items"])]

        assert await seen(Role.CONSUMER, subject="buyer") == [200, 200, 1]
        assert await seen(Role.CONSUMER, subject="stranger") == [404, 404, 0]
        assert await seen(Role.PLATFORM, platform_id="north") == [200, 200, 1]
        assert await seen(Role.PLATFORM, platform_id="south") == [404, 404, 0]
        assert await seen(Role.REGULATOR) == [200, 200, 1]
        assert (await disputes.get(path, Role.TAX)).status_code == 403

    async def test_of_the_timeline_shows_every_step(self, disputes: Service) -> None:
        _, filed = await file(disputes, complaint())
        await resolve(disputes, filed["id"], "partly_upheld")

        steps = (await disputes.get(f"/v1/complaints/{filed['id']}/timeline")).json()

        assert [(step["what"], step["by"], step["note"]) for step in steps] == [
            ("filed", "consumer", None),
            ("resolved: partly_upheld", "regulator", "Checked."),
        ]


class TestListComplaints:
    async def test_pages_newest_first_and_finds_by_account(self, disputes: Service) -> None:
        for n in range(5):
            await file(disputes, complaint(operator_ref=f"shop-{n % 2}"), key=f"{n}")
        shop = account_id("north", "shop-0")

        seen: list[str] = []
        path: str | None = "/v1/complaints?limit=2"
        while path is not None:
            page = (await disputes.get(path)).json()
            seen += [item["filed_at"] for item in page["items"]]
            path = f"/v1/complaints?limit=2&cursor={page['next']}" if page["next"] else None
        of_shop = (await disputes.get(f"/v1/complaints?account_id={shop}")).json()["items"]

        assert seen == sorted(seen, reverse=True)
        assert (len(seen), len(of_shop)) == (5, 3)
