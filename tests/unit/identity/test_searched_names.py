"""By which pieces a name is looked for, and how alike two names are."""

import pytest

from services.identity.searched_names import ANY, Form, form, likeness, pieces, places, platform_piece


def hashes(own: str) -> set[int]:
    return {piece.hash for piece in pieces(own)}


def test_a_name_is_taken_without_its_place_and_legal_form() -> None:
    assert form("深圳市晨光貿易有限公司") == Form("晨光贸易", "深圳市晨光贸易有限公司")
    assert form("Müller & Söhne GmbH").own == form("Mueller & Soehne").own


@pytest.mark.parametrize(("name", "misspelt"), [("晨光贸易", "光晨贸易"), ("lantern trading", "lanterm trading")])
def test_a_misspelt_name_has_pieces_of_the_right_one(name: str, misspelt: str) -> None:
    assert len(hashes(name) & hashes(misspelt)) >= 2
    assert hashes(name) != hashes(misspelt)


def test_platforms_have_a_piece_that_no_name_has() -> None:
    assert platform_piece("north") not in hashes("north")
    assert platform_piece("north") != platform_piece("south")


class TestPlaces:
    def test_are_the_rarest_pieces_alone_and_common_ones_in_pairs(self) -> None:
        own = pieces("晨光贸易")
        counts = {piece.hash: 50_000 for piece in own} | {own[0].hash: 40, ANY: 1_000_000}

        found = places(own, counts, most=100)

        assert found.single == [own[0].hash]
        assert found.pairs
        assert all(own[0].hash not in pair for pair in found.pairs)

    def test_are_no_pieces_that_no_name_has(self) -> None:
        own = pieces("lantern")
        known = own[2].hash

        assert places(own, {known: 5, ANY: 10}, most=100).single == [known]
        assert places(own, {ANY: 10}, most=100) == ([], [])

    def test_are_the_least_common_where_nothing_is_rare(self) -> None:
        (only,) = {piece.hash for piece in pieces("7")}

        assert places(pieces("7"), {only: 10_000, ANY: 10_000}, most=100).single == [only]

    def test_are_no_pairs_of_pieces_that_lie_in_one_another(self) -> None:
        own = pieces("lan")
        counts = {piece.hash: 50_000 + place for place, piece in enumerate(own)} | {ANY: 1_000_000}

        assert places(own, counts, most=100).pairs == []


def test_the_same_name_is_likest_and_one_that_contains_it_next() -> None:
    asked = form("晨光贸易")
    names = ["晨光贸易有限公司", "晨光国际贸易有限公司", "远山食品有限公司"]
    forms = [form(name) for name in names]

    same, longer, other = likeness(asked, [one.own for one in forms], [one.plain for one in forms]).tolist()

    assert 1 >= same > longer > other
    assert same > 0.99
    assert other < 0.5
