"""Peeling: what is left last of small graphs whose answer is known."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.risk.peeling import peel, shared_beyond_chance

# Three who all buy at three shops, and one who buys at one of them.
_LEFT = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
_RIGHT = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])


class TestPeel:
    def test_keeps_the_densest_block(self) -> None:
        cores, kept = peel(_LEFT, _RIGHT, (4, 3), np.ones(10))

        assert kept.tolist() == [True, True, True, False, True, True, True]
        assert cores.tolist() == [3, 3, 3, 1, 3, 3, 3]

    def test_weighs_edges(self) -> None:
        weights = np.where(_LEFT == 3, 100.0, 1.0)

        _, kept = peel(_LEFT, _RIGHT, (4, 3), weights)

        assert kept.tolist() == [False, False, False, True, True, False, False]

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40, unique=True))
    def test_gives_every_node_the_core_number_of_its_definition(self, edges: list[tuple[int, int]]) -> None:
        left, right = (np.array(ends) for ends in zip(*edges, strict=True))

        cores, _ = peel(left, right, (10, 10), np.ones(len(edges)))

        for level in range(1, 11):
            rest = set(edges)
            while thin := {
                edge
                for edge in rest
                if sum(e[0] == edge[0] for e in rest) < level or sum(e[1] == edge[1] for e in rest) < level
            }:
                rest -= thin
            assert {int(node) for node in np.flatnonzero(cores[:10] >= level)} == {edge[0] for edge in rest}


class TestSharedBeyondChance:
    def test_counts_what_two_share_of_what_few_have(self) -> None:
        others = np.arange(2, 400)
        left = np.concatenate([[0, 0, 0, 0, 1, 1, 1, 1], others])
        right = np.concatenate([[0, 1, 2, 3, 0, 1, 2, 3], 4 + others % 50])

        support = shared_beyond_chance(left, right, (400, 54), 500)

        assert (support[:8] > 0).all()
        assert not support[8:].any()

    def test_leaves_what_everybody_has_alone(self) -> None:
        left, right = np.repeat(np.arange(50), 3), np.tile(np.arange(3), 50)

        assert not shared_beyond_chance(left, right, (50, 3), 500).any()

    def test_passes_over_what_too_many_have(self) -> None:
        assert not shared_beyond_chance(_LEFT, _RIGHT, (4, 3), 2).any()
