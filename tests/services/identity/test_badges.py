"""Electronic identification at the door: issued to who is verified, told apart from forgeries, revoked at once."""

from typing import Any
from uuid import UUID

import pytest_asyncio

from services.identity import badge_keys
from services.identity.sealing import MasterKeys
from shared.auth import Role
from shared.clock import utc_now
from shared.database import transaction
from shared.events.identity import BadgeIssued, BadgeRevoked
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_deregistered, operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

SHOP = account_id("north", "shop")
URL = "https://north.example/shops/lamp"


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    service = await open_service("identity")
    await told(service, operator_registered(shop_urls=[URL]))
    return service


async def told(service: Service, *events: Json) -> None:
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)


async def issued(service: Service, account: UUID = SHOP, *, platform_id: str = "north") -> Json:
    answer = await service.post("/v1/badges", {"account_id": str(account)}, Role.PLATFORM, platform_id=platform_id)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def verdict(service: Service, token: str, page: str | None = URL) -> str:
    body: dict[str, Any] = {"token": token, "page": page}
    answer = await service.client.post("/public/v1/badges/verification", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["status"])


async def revoke(service: Service, badge: Json, role: Role = Role.REGULATOR, **who: str) -> int:
    path = f"/v1/badges/{badge['id']}/revocation"
    return (await service.post(path, {"reason": "sold the shop"}, role, **who)).status_code


class TestIssue:
    async def test_says_whose_shops_these_are(self, identity: Service) -> None:
        badge = await issued(identity)

        answer = (await identity.client.get(f"/public/v1/badges/{badge['id']}?page={URL}")).json()

        assert answer["status"] == "valid"
        assert answer["badge"]["entity"]["name"] == "Lamp Trading Ltd"
        assert answer["badge"]["entity"]["number"] == "91110000600037341L"
        assert answer["badge"]["shops"] == [URL]
        assert len(await identity.published(BadgeIssued)) == 1

    async def test_ends_with_the_licence(self, identity: Service) -> None:
        licence = {"number": "L-1", "issued_on": "2020-01-01", "expires_on": "2026-12-15"}
        await told(identity, operator_changed(time="2026-05-01T00:00:00Z", licence=licence, shop_urls=[URL]))

        assert (await issued(identity))["expires_at"] == "2026-12-15T23:59:59Z"

    async def test_is_refused_to_who_is_not_verified(self, identity: Service) -> None:
        await told(identity, operator_registered(operator_ref="dark", licence=None, shop_urls=[URL]))

        body = {"account_id": str(account_id("north", "dark"))}
        answer = await identity.post("/v1/badges", body, Role.REGULATOR)

        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "licence_missing" in answer.json()["detail"]

    async def test_is_not_for_another_platforms_accounts(self, identity: Service) -> None:
        answer = await identity.post("/v1/badges", {"account_id": str(SHOP)}, Role.PLATFORM, platform_id="south")

        assert answer.status_code == 404

    async def test_says_nothing_of_a_natural_person(self, identity: Service) -> None:
        person = {"entity_type": "natural_person", "legal_name": "司马雨晴", "operator_ref": "person"}
        number = {"scheme": "ric", "number": "11010519491231002X"}
        await told(identity, operator_registered(**person, registration=number, shop_urls=[URL]))

        badge = await issued(identity, account_id("north", "person"))

        said = (await identity.client.get(f"/public/v1/badges/{badge['id']}")).json()["badge"]
        assert (said["entity"]["name"], said["entity"]["number"]) == (None, None)


class TestVerify:
    async def test_tells_apart_what_is_shown_where(self, identity: Service) -> None:
        badge = await issued(identity)
        token = badge["token"]
        head, payload, signature = token.split(".")

        found = {
            "its shop": await verdict(identity, token),
            "no page": await verdict(identity, token, None),
            "another shop": await verdict(identity, token, "https://north.example/shops/other"),
            "another site": await verdict(identity, token, "https://copy.example/shops/lamp"),
            "changed": await verdict(identity, f"{head}.{payload[:-2]}AA.{signature}"),
            "nonsense": await verdict(identity, "nonsense"),
        }
        await revoke(identity, badge)
        found["revoked"] = await verdict(identity, token)

        assert found == {
            "its shop": "valid",
            "no page": "valid",
            "another shop": "wrong_shop",
            "another site": "cloned",
            "changed": "forged",
            "nonsense": "forged",
            "revoked": "revoked",
        }

    async def test_shows_a_page_to_everybody(self, identity: Service) -> None:
        badge = await issued(identity)

        page = await identity.client.get(f"/public/badges/{badge['id']}?page=https://copy.example/")
        unknown = await identity.client.get(f"/public/badges/{SHOP}")
        code = await identity.client.get(f"/public/badges/{badge['id']}/qr.svg")

        assert "盗用" in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "伪造" in unknown.text
        assert code.headers["content-type"] == "image/svg+xml"

    async def test_goes_on_when_keys_are_rotated(self, identity: Service) -> None:
        before = await issued(identity)
        await verdict(identity, before["token"])
        keys = (await identity.post("/v1/badge-keys/rotation", {}, Role.ADMINISTRATOR)).json()["keys"]
        after = await issued(identity, platform_id="north")

        published = (await identity.client.get("/.well-known/badge-keys.json")).json()["keys"]
        assert [key["kid"] for key in published] == [key["kid"] for key in keys]
        assert len(published) == 2
        assert all("d" not in key for key in published)
        assert await verdict(identity, after["token"]) == "valid"
        assert await verdict(identity, before["token"]) == "revoked", "another took its place, and its signature holds"


class TestMasterKeys:
    async def test_may_change_under_the_keys_that_sign(self, identity: Service) -> None:
        await issued(identity)
        path = identity.settings.var_dir / "secrets" / "identity-master.keys"
        old, new = bytes.fromhex(path.read_text().strip()), bytes([7] * 32)
        async with transaction(identity.sessions) as session:
            wrapped = await badge_keys.rewrap(session, MasterKeys([new, old]))

        async with transaction(identity.sessions) as session:
            key = await badge_keys.signing_key(session, MasterKeys([new]), now=utc_now())
            published = await badge_keys.verifying_keys(session)

        assert wrapped == 1
        assert [one.kid for one in published] == [key.kid]


class TestRevoke:
    async def test_is_seen_by_the_next_who_asks(self, identity: Service) -> None:
        badge = await issued(identity)
        before = await verdict(identity, badge["token"])

        assert await revoke(identity, badge) == 200

        listed = (await identity.client.get("/public/v1/badges/revoked")).json()["revoked"]
        assert (before, await verdict(identity, badge["token"])) == ("valid", "revoked")
        assert [one["id"] for one in listed] == [badge["id"]]
        assert len(await identity.published(BadgeRevoked)) == 1

    async def test_again_changes_nothing(self, identity: Service) -> None:
        badge = await issued(identity)

        assert [await revoke(identity, badge) for _ in "ab"] == [200, 200]
        assert len(await identity.published(BadgeRevoked)) == 1

    async def test_is_not_for_another_platform(self, identity: Service) -> None:
        assert await revoke(identity, await issued(identity), Role.PLATFORM, platform_id="south") == 404

    async def test_comes_by_itself_when_the_account_ends_or_its_file_changes(self, identity: Service) -> None:
        first = await issued(identity)
        await told(identity, operator_changed(time="2026-05-01T00:00:00Z", shop_urls=[URL], mode="B2B"))
        untouched = await verdict(identity, first["token"])
        await told(identity, operator_changed(time="2026-05-02T00:00:00Z", shop_urls=["https://north.example/new"]))
        moved = await verdict(identity, first["token"])
        second = await issued(identity)
        await told(identity, operator_deregistered("banned", time="2026-05-03T00:00:00Z"))

        assert (untouched, moved) == ("valid", "revoked")
        assert await verdict(identity, second["token"], "https://north.example/new") == "revoked"
        shown = (await identity.get(f"/v1/badges/{second['id']}")).json()
        assert shown["revoked_because"] == "account banned"


class TestLookup:
    async def test_leads_from_a_page_to_the_operator_and_back(self, identity: Service) -> None:
        found = (await identity.client.get(f"/public/v1/lookup?url={URL}/items/3")).json()
        back = (await identity.client.get(f"/public/v1/operators/{found['operator_id']}")).json()
        of_account = (await identity.client.get(f"/public/v1/lookup?account={SHOP}")).json()
        inside = await identity.get(f"/v1/lookup?url={URL}")

        assert found["name"] == "Lamp Trading Ltd"
        assert found == back == of_account
        assert [shop["url"] for shop in back["shops"]] == [URL]
        assert inside.json()["id"] == found["operator_id"]

    async def test_finds_nobody_on_other_pages_nor_behind_shops_that_are_gone(self, identity: Service) -> None:
        await told(identity, operator_changed(time="2026-05-02T00:00:00Z", shop_urls=["https://north.example/new"]))

        answers = [
            await identity.client.get(f"/public/v1/lookup?url={url}")
            for url in (URL, "https://north.example/", "nonsense", "https://north.example/new")
        ]
        neither = await identity.client.get("/public/v1/lookup")

        assert [one.status_code for one in answers] == [404, 404, 404, 200]
        assert neither.status_code == 422
