"""Operators are found by names that are misspelt or shortened, by what else is known of them, and by those who may."""

from typing import Any

import pytest
import pytest_asyncio

from services.identity.search_filling import record_all
from shared.database import transaction
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, operator_deregistered
from tests.services.identity.searches import NORTH, found, of, search
from tests.services.identity.shops import FEBRUARY, JANUARY, MARCH, banned, changed, shop, told

Params = dict[str, Any]


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


class TestNames:
    @pytest.mark.parametrize(
        "asked",
        [
            "深圳市晨光贸易有限公司",
            "晨光贸易",
            "晨光貿易",
            "晨广贸易",
            "晨光贸",
            "深圳晨光贸易公司",
        ],
    )
    async def test_in_chinese_need_not_be_spelt_so(self, identity: Service, asked: str) -> None:
        names = ("深圳市晨光贸易有限公司", "上海青石科技有限公司", "北京远山食品有限公司", "广东海天物流有限公司")
        await told(identity, *(shop(f"shop-{n}", legal_name=name) for n, name in enumerate(names)))

        first = (await search(identity, name=asked))["items"][0]

        assert first["id"] == of("shop-0")
        assert first["name"] == names[0]
        assert 0.5 <= first["likeness"] <= 1

    @pytest.mark.parametrize(
        "asked", ["Sunrise River Trading GmbH", "sunrise river", "Sunrize River Trading", "SUNRISE RIVER trading ltd"]
    )
    async def test_in_latin_script_need_not_be_spelt_so(self, identity: Service, asked: str) -> None:
        names = ("Sunrise River Trading GmbH", "Blue Lantern Trading Ltd", "Müller Werkzeuge AG", "Rivero Foods S.A.")
        await told(identity, *(shop(f"shop-{n}", legal_name=name) for n, name in enumerate(names)))

        assert (await found(identity, name=asked))[0] == of("shop-0")

    async def test_that_are_the_same_come_before_those_that_are_like_it(self, identity: Service) -> None:
        await told(
            identity,
            shop("near", legal_name="Blue Lanterns Ltd"),
            shop("same", legal_name="Blue Lantern GmbH"),
            shop("other", legal_name="Red Harbour Ltd"),
        )

        assert await found(identity, name="blue lantern") == [of("same"), of("near")]

    async def test_of_natural_persons_are_not_found(self, identity: Service) -> None:
        await told(identity, shop("person", legal_name="Wang Xiaoming", entity_type="natural_person"))

        assert await found(identity, name="Wang Xiaoming") == []
        assert await found(identity, name="***") == []
        assert await found(identity, entity_type="individual") == [of("person")]
        rows = await identity.rows("SELECT searched_accounts::text AS line FROM searched_accounts")
        assert "wang" not in rows[0]["line"].lower()
        assert await identity.rows("SELECT * FROM name_pieces") == []

    async def test_of_before_are_not_found(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Red Harbour Ltd"))

        assert await found(identity, name="blue lantern") == []
        assert await found(identity, name="red harbour") == [of("shop")]
        assert await self.counted(identity) == await self.recounted(identity)

    async def test_say_which_of_several_accounts_has_it(self, identity: Service) -> None:
        number = {"scheme": "uscc", "number": USCC}
        await told(
            identity,
            shop("one", legal_name="Blue Lantern Ltd", registration=number),
            shop("two", legal_name="Blue Lantern Trading Ltd", registration=number),
        )

        (item,) = (await search(identity, name="blue lantern trading"))["items"]

        assert (item["number"], item["name"]) == (USCC, "Blue Lantern Trading Ltd")

    async def test_come_in_pages(self, identity: Service) -> None:
        await told(identity, *(shop(f"shop-{n}", legal_name=f"Blue Lantern {'x' * n} Ltd") for n in range(5)))
        everything = await found(identity, name="blue lantern")

        pages: list[str] = []
        asked: Params = {"name": "blue lantern", "limit": 2}
        while True:
            page = await search(identity, **asked)
            pages += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            asked["cursor"] = page["next"]

        assert pages == everything
        assert len(set(pages)) == 5

    async def test_of_accounts_from_before_the_search_are_found(self, identity: Service) -> None:
        await told(
            identity,
            shop("firm", legal_name="Blue Lantern Ltd"),
            shop("person", legal_name="Wang Xiaoming", entity_type="natural_person"),
        )
        before = await self.everything(identity)
        for table in ("searched_accounts", "name_pieces", "name_piece_counts"):
            await identity.rows(f"DELETE FROM {table}")  # noqa: S608 - ours

        async with transaction(identity.sessions) as session:
            connection = await session.connection()
            await connection.run_sync(record_all)

        assert await self.everything(identity) == before
        assert await found(identity, name="blue lantern") == [of("firm")]

    @staticmethod
    async def everything(service: Service) -> list[Any]:
        rows = [
            [tuple(row) for row in await service.rows(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608 - ours
            for table in ("searched_accounts", "name_pieces", "name_piece_counts")
        ]
        return [*rows]

    @staticmethod
    async def counted(service: Service) -> list[Any]:
        rows = await service.rows("SELECT piece, accounts FROM name_piece_counts WHERE accounts <> 0 ORDER BY 1")
        return [tuple(row) for row in rows]

    @staticmethod
    async def recounted(service: Service) -> list[Any]:
        pieces = "SELECT pieces FROM name_pieces UNION ALL SELECT pieces FROM name_pieces_before"
        rows = await service.rows(f"SELECT p, count(*) FROM ({pieces}) n, unnest(pieces) p GROUP BY p ORDER BY p")  # noqa: S608 - ours
        return [tuple(row) for row in rows]


class TestFilters:
    async def test_narrow_a_list_and_a_search(self, identity: Service) -> None:
        await told(
            identity,
            shop("one", legal_name="Blue Lantern Ltd", jurisdiction="DE"),
            shop("two", legal_name="Blue Lantern AG", time=FEBRUARY),
            shop("three", legal_name="Blue Lantern Inc", platform_id="south", entity_type="个体工商户"),
            shop("four", legal_name="Blue Lantern SA", time=MARCH),
            banned("four", time=MARCH),
        )
        expected = {
            ("jurisdiction", "DE"): {of("one")},
            ("platform", "south"): {of("three", "south")},
            ("entity_type", "sole trader"): {of("three", "south")},
            ("state", "banned"): {of("four")},
            ("verdict", "verified"): set(),
            ("registered_from", FEBRUARY[:10]): {of("two"), of("four")},
            ("registered_to", JANUARY[:10]): {of("one"), of("three", "south")},
        }

        for (name, value), operators in expected.items():
            assert set(await found(identity, **{name: value})) == operators, name
            assert set(await found(identity, name="blue lantern", **{name: value})) == operators, name
        assert set(await found(identity, state="active", registered_from=FEBRUARY[:10])) == {of("two")}

    async def test_page_through_a_list(self, identity: Service) -> None:
        await told(identity, *(shop(f"shop-{n}") for n in range(5)), shop("abroad", jurisdiction="DE"))

        first = await search(identity, jurisdiction="CN", limit=3)
        second = await search(identity, jurisdiction="CN", limit=3, cursor=first["next"])

        ids = [item["id"] for item in first["items"] + second["items"]]
        assert ids == sorted(of(f"shop-{n}") for n in range(5))
        assert second["next"] is None

    async def test_find_what_ended_by_how(self, identity: Service) -> None:
        await told(identity, shop("shop"), operator_deregistered("left", time=FEBRUARY))

        assert await found(identity, state="deregistered") == [of("shop")]
        assert await found(identity, state="active") == []


class TestCallers:
    async def test_that_are_platforms_see_their_own(self, identity: Service) -> None:
        await told(
            identity,
            shop("own", legal_name="Blue Lantern Ltd"),
            shop("other", legal_name="Blue Lantern Ltd", platform_id="south"),
        )

        assert await found(identity, name="blue lantern", **NORTH) == [of("own")]
        assert await found(identity, name="blue lantern", platform="south", **NORTH) == []
        assert await found(identity, platform="south", **NORTH) == []
        assert await found(identity, jurisdiction="CN", **NORTH) == [of("own")]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("name=", "name"),
            ("name=a%00b", "name"),
            (f"name={'x' * 201}", "name"),
            ("jurisdiction=Chile", "jurisdiction"),
            ("state=gone", "state"),
            ("verdict=good", "verdict"),
            ("registered_from=yesterday", "registered_from"),
            ("limit=0", "limit"),
            ("name=x&cursor=00000000-0000-0000-0000-000000000000", "cursor"),
        ],
    )
    async def test_that_ask_nonsense_are_told_which_field(self, identity: Service, query: str, field: str) -> None:
        answer = await identity.get(f"/v1/operators?{query}")

        assert answer.status_code == 422
        assert answer.json()["pointer"] == f"/query/{field}"
