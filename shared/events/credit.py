"""What credit publishes: a level that changed."""

from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event

Level = Literal["A", "B", "C", "D"]


class LevelChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An operator's credit level moved."""

    type: ClassVar[str] = "credit.level.changed.v1"
    topic: ClassVar[str] = "credit.levels"
    operator_id: UUID
    account_ids: list[UUID]
    from_level: Level
    to_level: Level
    score: float
    tree_version: int

    def key(self) -> UUID:
        """Return the operator."""
        return self.operator_id


EVENTS: tuple[type[Event], ...] = (LevelChanged,)
