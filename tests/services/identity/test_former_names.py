"""Operators are found by names that they had, and by all that was known of them at an instant."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from services.identity.search_filling import record_before
from shared.database import transaction
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC
from tests.services.identity.searches import NORTH, found, of, search
from tests.services.identity.shops import FEBRUARY, JANUARY, MARCH, banned, changed, shop, told
from tests.services.identity.test_registry import OTHER, extract, loaded

DECEMBER, MID_JANUARY, MID_FEBRUARY, APRIL = (
    "2025-12-31T00:00:00Z",
    "2026-01-20T00:00:00Z",
    "2026-02-20T00:00:00Z",
    "2026-04-05T00:00:00Z",
)
NUMBER = {"scheme": "uscc", "number": USCC}
TABLES = ("searched_accounts", "searched_before", "name_pieces", "name_pieces_before")


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def renamed_twice(service: Service, **says: Any) -> None:
    """Let a shop be called Blue Lantern from January, Red Harbour from February, Green Meadow from March on."""
    await told(service, shop("shop", legal_name="Blue Lantern Ltd", **says))
    await told(service, changed("shop", time=FEBRUARY, legal_name="Red Harbour Ltd", **says))
    await told(service, changed("shop", time=MARCH, legal_name="Green Meadow Ltd", **says))


async def hit(service: Service, name: str, **asked: Any) -> tuple[str, str, str | None]:
    """Return of the one that a search finds which name it was, and from when until when."""
    (item,) = (await search(service, name=name, **asked))["items"]
    return item["name"], item["borne_from"], item["borne_to"]


async def kept(service: Service) -> dict[str, list[Any]]:
    """Return all that is kept of names, and how often their pieces are said to be there."""
    tables = [*TABLES, "(SELECT * FROM name_piece_counts WHERE accounts <> 0) AS c"]
    rows = {table: await service.rows(f"SELECT * FROM {table}") for table in tables}  # noqa: S608 - ours
    return {table: sorted(repr(sorted(row.items())) for row in own) for table, own in rows.items()}


class TestFormerNames:
    async def test_find_who_had_them_only_where_they_are_asked_for(self, identity: Service) -> None:
        await renamed_twice(identity)

        for name in ("Blue Lantern Ltd", "red harbor"):
            assert await found(identity, name=name) == []
        assert await hit(identity, "blue lantern", former=True) == ("Blue Lantern Ltd", JANUARY, FEBRUARY)
        assert await hit(identity, "red harbor", former=True) == ("Red Harbour Ltd", FEBRUARY, MARCH)
        assert await hit(identity, "green meadow", former=True) == ("Green Meadow Ltd", MARCH, None)
        (item,) = (await search(identity, name="blue lantern", former=True))["items"]
        assert (item["id"], item["account_id"]) == (of("shop"), of("shop"))

    async def test_in_chinese_need_not_be_spelt_so(self, identity: Service) -> None:
        await told(
            identity,
            shop("shop", legal_name="深圳市晨光贸易有限公司"),
            shop("other", legal_name="上海青石科技有限公司"),
        )
        await told(identity, changed("shop", time=FEBRUARY, legal_name="北京远山食品有限公司"))

        assert await hit(identity, "晨广贸易", former=True) == ("深圳市晨光贸易有限公司", JANUARY, FEBRUARY)

    async def test_were_borne_for_as_long_as_nothing_but_the_rest_changed(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Blue Lantern Ltd", jurisdiction="DE"))
        await told(identity, changed("shop", time=MARCH, legal_name="Red Harbour Ltd", jurisdiction="DE"))
        await told(identity, changed("shop", time=APRIL, legal_name="Red Harbour Ltd", entity_type="sole trader"))

        assert await hit(identity, "blue lantern", former=True) == ("Blue Lantern Ltd", JANUARY, MARCH)
        assert await hit(identity, "red harbour", former=True) == ("Red Harbour Ltd", MARCH, None)
        assert await hit(identity, "blue lantern", as_of=MID_FEBRUARY) == ("Blue Lantern Ltd", JANUARY, MARCH)

    async def test_are_of_the_operator_that_bore_them(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd", registration=NUMBER))
        other = {"scheme": "uscc", "number": OTHER}
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Red Harbour Ltd", registration=other))

        (before,) = (await search(identity, name="blue lantern", former=True))["items"]
        (now,) = (await search(identity, name="red harbour", former=True))["items"]

        assert (before["number"], now["number"]) == (USCC, OTHER)
        assert before["account_id"] == now["account_id"]

    async def test_of_registers_find_too(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "灯具贸易有限公司", "", "")), date(2026, 1, 1))
        await loaded(identity, extract(tmp_path / "b.csv", (USCC, "远山食品有限公司", "", "")), date(2026, 2, 1))
        says: Any = {"legal_name": "Lamp Ltd", "registration": NUMBER}
        await told(identity, shop("shop", **says))
        await told(identity, changed("shop", time=FEBRUARY, **says))

        assert await hit(identity, "灯具贸易", former=True) == ("灯具贸易有限公司", JANUARY, FEBRUARY)
        assert await hit(identity, "灯具贸易", as_of=MID_JANUARY) == ("灯具贸易有限公司", JANUARY, FEBRUARY)
        assert await hit(identity, "远山食品", as_of=MID_FEBRUARY) == ("远山食品有限公司", FEBRUARY, None)
        assert await hit(identity, "Lamp Ltd", as_of=MID_JANUARY) == ("Lamp Ltd", JANUARY, None)

    async def test_of_natural_persons_are_not_kept(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Wang Xiaoming", entity_type="natural_person"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Blue Lantern Ltd"))
        await told(identity, changed("shop", time=MARCH, legal_name="Li Lei", entity_type="natural_person"))

        assert await found(identity, name="Wang Xiaoming", former=True) == []
        assert await found(identity, name="Li Lei", as_of=APRIL) == []
        assert await hit(identity, "blue lantern", former=True) == ("Blue Lantern Ltd", FEBRUARY, MARCH)
        assert await found(identity, entity_type="person", as_of=MID_JANUARY) == [of("shop")]
        everything = " ".join(line for lines in (await kept(identity)).values() for line in lines).lower()
        assert "wang" not in everything
        assert "li lei" not in everything

    async def test_come_in_pages_and_after_those_that_are_liker(self, identity: Service) -> None:
        await told(identity, *(shop(f"shop-{n}", legal_name=f"Blue Lantern {'x' * n} Ltd") for n in range(5)))
        await told(identity, *(changed(f"shop-{n}", time=FEBRUARY) for n in range(0, 5, 2)))

        first = await search(identity, name="blue lantern", former=True, limit=3)
        second = await search(identity, name="blue lantern", former=True, limit=3, cursor=first["next"])

        assert [item["id"] for item in first["items"] + second["items"]] == [of(f"shop-{n}") for n in range(5)]
        assert second["next"] is None

    @pytest.mark.parametrize("query", ["former=true", f"name=x&former=true&as_of={MARCH}"])
    async def test_have_no_answer_without_a_name_or_at_an_instant(self, identity: Service, query: str) -> None:
        answer = await identity.get(f"/v1/operators?{query}")

        assert (answer.status_code, answer.json()["pointer"]) == (422, "/query/former")


class TestAsOf:
    async def test_an_instant_operators_are_found_by_the_names_of_then(self, identity: Service) -> None:
        await renamed_twice(identity)
        names = ("blue lantern", "red harbour", "green meadow")
        expected = {DECEMBER: None, JANUARY: 0, MID_JANUARY: 0, FEBRUARY: 1, MID_FEBRUARY: 1, MARCH: 2, APRIL: 2}

        for moment, place in expected.items():
            for number, name in enumerate(names):
                ids = await found(identity, name=name, as_of=moment)
                assert ids == ([of("shop")] if number == place else []), (moment, name)
        assert await hit(identity, "blue lantern", as_of=MID_JANUARY) == ("Blue Lantern Ltd", JANUARY, FEBRUARY)

    async def test_an_instant_everything_that_is_asked_is_what_it_was(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd", entity_type="sole trader", jurisdiction="DE"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Blue Lantern Ltd", platform_id="north"))
        await told(identity, banned("shop", time=MARCH))
        await told(identity, shop("abroad", platform_id="south", time=MARCH))
        expected: dict[tuple[str, str], tuple[str, ...]] = {
            ("jurisdiction", "DE"): (MID_JANUARY,),
            ("jurisdiction", "CN"): (MID_FEBRUARY, APRIL),
            ("entity_type", "sole trader"): (MID_JANUARY,),
            ("entity_type", "company"): (MID_FEBRUARY, APRIL),
            ("platform", "north"): (MID_JANUARY, MID_FEBRUARY, APRIL),
            ("platform", "south"): (),
            ("state", "active"): (MID_JANUARY, MID_FEBRUARY),
            ("state", "banned"): (APRIL,),
            ("verdict", "unverified"): (MID_JANUARY, MID_FEBRUARY, APRIL),
            ("verdict", "verified"): (),
            ("registered_to", JANUARY[:10]): (MID_JANUARY, MID_FEBRUARY, APRIL),
            ("registered_from", FEBRUARY[:10]): (),
        }

        for (field, value), moments in expected.items():
            for moment in (DECEMBER, MID_JANUARY, MID_FEBRUARY, APRIL):
                asked = {field: value, "as_of": moment}
                there = [of("shop")] if moment in moments else []
                assert await found(identity, name="blue lantern", **asked) == there, asked
                assert [one for one in await found(identity, **asked) if one == of("shop")] == there, asked

    async def test_an_instant_lists_come_in_pages(self, identity: Service) -> None:
        await told(identity, *(shop(f"shop-{n}", jurisdiction="DE") for n in range(5)), shop("later", time=MARCH))
        await told(identity, *(changed(f"shop-{n}", time=FEBRUARY) for n in range(3)))

        first = await search(identity, as_of=MID_JANUARY, jurisdiction="DE", limit=3)
        second = await search(identity, as_of=MID_JANUARY, jurisdiction="DE", limit=3, cursor=first["next"])

        ids = [item["id"] for item in first["items"] + second["items"]]
        assert ids == sorted(of(f"shop-{n}") for n in range(5))
        assert second["next"] is None

    async def test_an_instant_a_file_that_came_late_holds_from_its_own_day_on(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd"))
        await told(identity, changed("shop", time=MARCH, legal_name="Green Meadow Ltd"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Red Harbour Ltd"))

        assert await found(identity, name="green meadow", former=True) == []
        assert await hit(identity, "blue lantern", former=True) == ("Blue Lantern Ltd", JANUARY, FEBRUARY)
        assert await hit(identity, "red harbour", as_of=APRIL) == ("Red Harbour Ltd", FEBRUARY, None)

        await told(identity, changed("shop", time=MID_JANUARY, legal_name="Blue Lantern Ltd"))
        assert await found(identity, name="red harbour", former=True) == []
        assert await hit(identity, "blue lantern", as_of=APRIL) == ("Blue Lantern Ltd", JANUARY, None)

    @pytest.mark.parametrize("seed", [1, 2])
    async def test_an_instant_a_search_and_the_operator_say_the_same(self, identity: Service, seed: int) -> None:
        draw = Random(seed)
        names = ("Blue Lantern Ltd", "Red Harbour GmbH", "晨光贸易有限公司", "远山食品有限公司")
        begin = datetime(2026, 1, 1, tzinfo=UTC)

        def moment() -> str:
            return (begin + timedelta(hours=draw.randrange(2_000))).isoformat()

        shops = [f"shop-{n}" for n in range(4)]
        stated: list[tuple[str, str]] = []
        for _ in range(6):
            some = [(draw.choice(shops), moment()) for _ in range(4)]
            stated += some
            await told(identity, *(changed(ref, time=at, legal_name=draw.choice(names)) for ref, at in some))

        seen = 0
        asked = [moment() for _ in range(12)]
        for at in asked:
            expected = set()
            for ref in shops:
                answer = await identity.get(f"/v1/operators/{of(ref)}?as_of={at.replace('+', '%2B')}")
                if answer.status_code == 200:
                    expected.add((answer.json()["name"], of(ref)))
            searched = {(name, one) for name in names for one in await found(identity, name=name, as_of=at)}
            assert searched == expected, at
            seen += len(expected)
        assert seen == sum(any(one == ref and day <= at for one, day in stated) for ref in shops for at in asked)

    @pytest.mark.parametrize(
        "moment", ["yesterday", "2026-02-20T00:00:00", "1989-12-31T00:00:00Z", "2200-01-02T00:00:00Z"]
    )
    async def test_what_is_no_instant_is_refused_as_for_an_operator(self, identity: Service, moment: str) -> None:
        await told(identity, shop("shop"))

        answers = [
            await identity.get(f"/v1/operators?as_of={moment}"),
            await identity.get(f"/v1/operators?name=x&as_of={moment}"),
            await identity.get(f"/v1/operators/{of('shop')}?as_of={moment}"),
        ]

        assert {(one.status_code, one.json()["pointer"]) for one in answers} == {(422, "/query/as_of")}


class TestHistory:
    async def test_is_a_platforms_own(self, identity: Service) -> None:
        for platform in ("north", "south"):
            await told(identity, shop("shop", platform_id=platform, legal_name="Blue Lantern Ltd", registration=NUMBER))
        await told(identity, changed("shop", time=FEBRUARY, platform_id="south", registration=NUMBER))
        until = {"north": None, "south": FEBRUARY}

        for platform, borne_to in until.items():
            for how in ({"former": True}, {"as_of": MID_JANUARY}):
                asked: Any = {"name": "blue lantern", **NORTH, "platform_id": platform, **how}
                (item,) = (await search(identity, **asked))["items"]
                assert (item["account_id"], item["borne_to"]) == (of("shop", platform), borne_to)
                others = next(one for one in until if one != platform)
                assert await found(identity, **asked, platform=others) == []
        for platform, operators in (("north", 1), ("south", 1), ("west", 0)):
            own: Any = {**NORTH, "platform_id": platform}
            assert len(await found(identity, **own, as_of=MID_JANUARY)) == operators
            assert len(await found(identity, **own, as_of=DECEMBER)) == 0

    async def test_has_nothing_of_accounts_that_said_one_thing_only(self, identity: Service) -> None:
        await told(identity, shop("shop", legal_name="Blue Lantern Ltd"), shop("other"))
        await told(identity, changed("shop", time=FEBRUARY, legal_name="Blue Lantern Ltd", representative="Li Lei"))
        await told(identity, banned("other"))

        tables = await kept(identity)
        assert tables["searched_before"] == tables["name_pieces_before"] == []
        assert await found(identity, name="blue lantern", as_of=MID_JANUARY) == [of("shop")]

    async def test_of_before_it_was_kept_is_told_from_the_files(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "灯具贸易有限公司", "", "")), date(2026, 1, 1))
        await loaded(identity, extract(tmp_path / "b.csv", (USCC, "远山食品有限公司", "", "")), date(2026, 2, 1))
        await renamed_twice(identity, registration=NUMBER)
        await told(identity, shop("person", legal_name="Wang Xiaoming", entity_type="natural_person"), shop("one"))
        await told(identity, changed("person", time=MARCH, legal_name="Blue Lantern Ltd"))
        await told(identity, changed("person", time=FEBRUARY, legal_name="Red Harbour Ltd"), banned("one"))
        before = await kept(identity)
        assert len(before["searched_before"]) == 3

        await identity.rows("DELETE FROM searched_before")
        await identity.rows(
            "UPDATE name_piece_counts c SET accounts = accounts - n FROM (SELECT p, count(*) AS n "
            "FROM name_pieces_before, unnest(pieces) AS p GROUP BY p) AS b WHERE b.p = c.piece"
        )
        await identity.rows("DELETE FROM name_pieces_before")
        await identity.rows("UPDATE searched_accounts SET held_from = '2000-01-01'")
        async with transaction(identity.sessions) as session:
            connection = await session.connection()
            await connection.run_sync(record_before)

        assert await kept(identity) == before
