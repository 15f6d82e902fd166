"""The gateway's HTTP door: endpoints, the delivery log, digests, and who may see them."""

import hashlib
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.risk import AlertRaised
from tests.services.doors import OpenService, Service
from tests.services.gateway.factories import alert_raised
from tests.services.inbox import handle
from tests.services.platform_events import Json


def endpoint(**data: object) -> Json:
    wanted = {"department": "customs", "url": "https://customs.example/hooks", "types": [AlertRaised.type]}
    return {**wanted, **data}


@pytest_asyncio.fixture
async def gateway(open_service: OpenService) -> Service:
    return await open_service("gateway")


class TestAddEndpoint:
    async def test_twice_is_one(self, gateway: Service) -> None:
        first = await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)
        second = await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)

        assert first.status_code == second.status_code == 201
        assert first.json() == second.json()

    async def test_refuses_another_subscription_of_the_same_url(self, gateway: Service) -> None:
        await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)

        answer = await gateway.post("/v1/endpoints", endpoint(least_severity="critical"), Role.CUSTOMS)

        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")

    async def test_is_for_the_own_department_only(self, gateway: Service) -> None:
        assert (await gateway.post("/v1/endpoints", endpoint(), Role.TAX)).status_code == 403
        assert (await gateway.post("/v1/endpoints", endpoint(), Role.REGULATOR)).status_code == 403

    @pytest.mark.parametrize(
        "wrong",
        [
            {"url": "http://customs.example/"},
            {"url": "https://127.0.0.1/"},
            {"url": "https://user:secret@customs.example/"},
            {"url": "https://customs.example/\x00"},
            {"url": "https://customs.example:99999/"},
            {"url": "https://exa mple.example/"},
            {"url": "x" * 2_001},
            {"types": []},
            {"types": ["credit.level.imagined.v1"]},
            {"department": "police"},
            {"surprise": True},
            {"url": "\ud800"},
        ],
        ids=str,
    )
    async def test_refuses_what_cannot_be(self, gateway: Service, wrong: Json) -> None:
        answer = await gateway.post("/v1/endpoints", endpoint(**wrong), Role.CUSTOMS)

        assert answer.status_code == 422

    async def test_refuses_an_unknown_field_whose_name_is_no_text(self, gateway: Service) -> None:
        answer = await gateway.post("/v1/endpoints", endpoint(**{"\ud800": 1}), Role.CUSTOMS)

        assert answer.status_code == 422


class TestDeliveries:
    async def test_are_shown_to_their_department(self, gateway: Service) -> None:
        await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)
        await handle(gateway, [alert_raised(n) for n in range(5)])

        seen: list[str] = []
        path: str | None = "/v1/deliveries?limit=2"
        while path is not None:
            page = (await gateway.get(path, Role.CUSTOMS)).json()
            seen += [item["id"] for item in page["items"]]
            path = f"/v1/deliveries?limit=2&cursor={page['next']}" if page["next"] else None
        tax = (await gateway.get("/v1/deliveries", Role.TAX)).json()

        assert len(seen) == len(set(seen)) == 5
        assert tax["items"] == []

    async def test_are_those_that_the_endpoint_wants(self, gateway: Service) -> None:
        await gateway.post("/v1/endpoints", endpoint(least_severity="high"), Role.CUSTOMS)

        await handle(gateway, [alert_raised(1, severity="medium"), alert_raised(2, severity="critical")])

        items = (await gateway.get("/v1/deliveries", Role.CUSTOMS)).json()["items"]
        assert [item["seq"] for item in items] == [1]

    async def test_have_attempts_only_for_their_department(self, gateway: Service) -> None:
        await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)
        await handle(gateway, [alert_raised()])
        (item,) = (await gateway.get("/v1/deliveries", Role.CUSTOMS)).json()["items"]

        own = await gateway.get(f"/v1/deliveries/{item['id']}/attempts", Role.CUSTOMS)
        tax = await gateway.get(f"/v1/deliveries/{item['id']}/attempts", Role.TAX)

        assert (own.status_code, own.json(), tax.status_code) == (200, [], 404)


class TestDigest:
    async def test_counts_a_day_and_hashes_its_ids(self, gateway: Service) -> None:
        await gateway.post("/v1/endpoints", endpoint(), Role.CUSTOMS)
        await handle(gateway, [alert_raised(n) for n in range(3)])
        today = datetime.now(UTC).date()

        (digest,) = (await gateway.get(f"/v1/digests/{today}", Role.CUSTOMS)).json()
        (other_day,) = (await gateway.get("/v1/digests/2020-01-01", Role.CUSTOMS)).json()

        rows = await gateway.rows("SELECT id FROM deliveries ORDER BY id")
        told = "".join(f"{row['id']}\n" for row in rows).encode()
        assert digest["digest"] == hashlib.sha256(told).hexdigest()
        assert (digest["created"], digest["pending"], digest["delivered"]) == (3, 3, 0)
        assert other_day["created"] == 0


class TestKeys:
    async def test_are_rotated_by_an_administrator_alone(self, gateway: Service) -> None:
        refused = await gateway.post("/v1/keys/rotation", None, Role.CUSTOMS)
        rotated = await gateway.post("/v1/keys/rotation", None, Role.ADMINISTRATOR)
        public = await gateway.client.get("/.well-known/webhook-keys.json")

        assert (refused.status_code, rotated.status_code) == (403, 200)
        assert public.json() == rotated.json()

    async def test_are_stored_wrapped(self, gateway: Service) -> None:
        await gateway.post("/v1/keys/rotation", None, Role.ADMINISTRATOR)

        (key,) = await gateway.rows("SELECT public_key, wrapped_private_key FROM signing_keys")

        assert len(key["public_key"]) == 32
        assert len(gateway.app.state.wrapping.unwrap(key["wrapped_private_key"])) == 32
        assert key["wrapped_private_key"] != gateway.app.state.wrapping.unwrap(key["wrapped_private_key"])
