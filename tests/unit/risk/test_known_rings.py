"""Rings over time: who stays the same, who broke off."""

from uuid import UUID

from services.risk.known_rings import Identity, recognise

FIRST, SECOND = UUID(int=1), UUID(int=2)


def members(*names: str) -> frozenset[str]:
    return frozenset("".join(names))


class TestRecognise:
    def test_keeps_the_id_of_a_ring_that_grew_or_shrank(self) -> None:
        known = {FIRST: members("abcd")}

        assert recognise(known, [members("abcdefgh")]) == [Identity(FIRST, None)]
        assert recognise(known, [members("ab")]) == [Identity(FIRST, None)]

    def test_gives_the_id_to_the_larger_part_of_one_that_split(self) -> None:
        known = {FIRST: members("abcdefgh")}

        found = recognise(known, [members("ab"), members("cdefgh")])

        assert found == [Identity(None, FIRST), Identity(FIRST, None)]

    def test_keeps_one_id_of_two_that_became_one(self) -> None:
        known = {FIRST: members("abc"), SECOND: members("defgh")}

        assert recognise(known, [members("abcdefgh")]) == [Identity(SECOND, None)]

    def test_sees_a_new_ring_where_few_members_are_known(self) -> None:
        assert recognise({FIRST: members("abcdefgh")}, [members("axyzuvw")]) == [Identity(None, None)]
