"""A key's partition is the one that any Kafka client would choose."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from shared.identifiers import new_id
from shared.partitions import partitions

keys = st.one_of(
    st.lists(st.binary(min_size=1, max_size=40), max_size=20),
    st.integers(1, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), max_size=20)),
)


@given(keys, st.integers(1, 100))
def test_equals_the_partitioner_of_aiokafka(keys: list[bytes], count: int) -> None:
    everywhere = list(range(count))

    expected = [DefaultPartitioner()(key, everywhere, everywhere) for key in keys]

    assert partitions(keys, count) == expected


def test_spreads_ids_evenly() -> None:
    found = partitions([str(new_id()).encode() for _ in range(4_000)], 4)

    assert {found.count(n) // 900 for n in range(4)} == {1}
