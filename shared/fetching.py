"""Messages as aiokafka's reader makes them, without a `ConsumerRecord` around each: that costs more than reading."""

from collections.abc import Sequence
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher


class Record(Protocol):
    """One message of a partition; `getmany()` says of which. A `ConsumerRecord` is one, too."""

    @property
    def offset(self) -> int:
        """The message's place in its partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, as its producer or the broker stamped it."""

    @property
    def key(self) -> bytes | None:
        """The key; None where there is none."""

    @property
    def value(self) -> bytes | None:
        """The value; None for a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Names and contents, in order."""


class _AsRead(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    def _consumer_record(self, _: TopicPartition, record: Record) -> Record:
        return record


def read_as_they_are() -> None:
    """Make this process's consumers return messages as they were read. aiokafka has no setting for it."""
    fetcher.PartitionRecords = _AsRead
