"""Transactions of the last batches, kept so that the next document need not read them back."""

from collections.abc import Collection, Iterable
from itertools import islice
from uuid import UUID

from msgspec import Struct, field

from services.listings.documents import Documents
from services.listings.matching import Match
from shared.events.listings import Trade

MOST_KEPT = 200_000


class Known(Struct, gc=False):
    """A transaction in hand: what was stored, and what a batch adds. Amounts are in minor units.

    `trades` is what its order comes to, worked out once: None until then.
    """

    id: UUID
    platform_id: str
    order_ref: str
    documents: Documents
    revision: int = 0
    match: Match = field(default_factory=lambda: Match("awaiting_documents", []))
    due_minor: int = 0
    paid_minor: int = 0
    trades: list[Trade] | None = None


class Recent:
    """A bounded memory of this process. It may be wrong after a rollback or a rebalance: storing checks revisions.

    What is taken is no longer kept, so a batch that fails leaves nothing half-merged behind.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._kept: dict[UUID, Known] = {}
        self._most = most

    def take(self, wanted: Collection[UUID]) -> dict[UUID, Known]:
        """Return what is kept of some transactions, and let go of it."""
        return {identifier: self._kept.pop(identifier) for identifier in wanted if identifier in self._kept}

    def keep(self, known: Iterable[Known]) -> None:
        """Keep transactions as they were stored; the oldest make room."""
        for transaction in known:
            self._kept[transaction.id] = transaction
        for identifier in list(islice(self._kept, max(0, len(self._kept) - self._most))):
            del self._kept[identifier]

    def forget(self) -> None:
        """Let go of everything."""
        self._kept.clear()
