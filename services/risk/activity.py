"""Second stage: what each key did lately, over all operators, and the rules about that."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, feature_log
from services.risk.alerts import Raised, Subject
from services.risk.catalogue import ACTIVITY
from services.risk.cells import Floats
from services.risk.decisions import decide_columns
from services.risk.habit_training import Known
from services.risk.habits import NO_HABITS, Acts, Habits, improbability
from services.risk.rules import Hit
from services.risk.window_store import Events, Slots, together
from services.risk.windows import FEATURES, HOUR_MS
from shared.database import kept
from shared.events.risk import KeysSighted

STREAM = "activity"
# What belongs to one operator: an alert about it names the operator.
_OF_ONE_OPERATOR = frozenset({"account", "pair", "listing"})
_64_BITS = (1 << 64) - 1


class _Folded(NamedTuple):
    events: Events
    features: Floats


async def watch(session: AsyncSession, sighted: Sequence[KeysSighted]) -> None:
    """Add sightings to the state of their keys, and raise alerts where rules hold."""
    slots = kept(session, Slots)
    by_slot = {event.slot: [one for one in sighted if one.slot == event.slot] for event in sighted}
    await slots.take(session, by_slot)
    folded = {slot: _fold(slots, slot, events) for slot, events in by_slot.items()}
    ordered = [event for events in by_slot.values() for event in events]
    kinds = [kind for event in ordered for kind in event.kinds]
    known = kept(session, Known)
    await known.refresh(session)
    columns = frame(kinds, together([one.events for one in folded.values()]), _stacked(folded.values()), known.habits)
    keys = [key for event in ordered for key in event.keys]
    if chosen := [row for row, key in enumerate(keys) if feature_log.is_kept(STREAM, key & _64_BITS)]:
        await feature_log.keep(session, STREAM, columns[chosen], [about(keys[row]) for row in chosen])
    found = await decide_columns(session, STREAM, columns)
    places = [(event, place) for event in ordered for place in range(len(event.keys))]
    raised = [_raised(*places[row], hit) for row, hits in enumerate(found) for hit in hits]
    await alerts.raise_alerts(session, raised)
    await slots.store(session, {slot: one.events for slot, one in folded.items()})


def about(key: int) -> UUID:
    """Return the subject of features and alerts of a key, by its number."""
    return UUID(int=key & _64_BITS)


def _fold(slots: Slots, slot: int, sighted: Sequence[KeysSighted]) -> _Folded:
    events = together([_columns(event) for event in sighted])
    return _Folded(events, slots.fold(slot, events))


def _stacked(folded: Iterable[_Folded]) -> Floats:
    return np.concatenate([one.features for one in folded])


def _columns(event: KeysSighted) -> Events:
    acts = np.array(event.acts, np.int64)
    return Events(
        np.array(event.keys, np.int64),
        np.array(event.at_ms, np.int64)[acts],
        np.array(event.values_minor, np.float64)[acts],
        np.array(event.partners, np.uint32),
        np.array(event.devices, np.uint32)[acts],
    )


def frame(kinds: Sequence[str], events: Events, features: Floats, known: Habits = NO_HABITS) -> pl.DataFrame:
    """Return the features of events, (n, 18) as `Windows.fold()` gives them, as the catalogue has them."""
    usual = features[:, FEATURES.index("usual_value_minor")]
    columns: dict[str, Any] = {
        "kind": kinds,
        "hour": events.times // HOUR_MS % 24,
        "value_minor": events.values,
        **{name: features[:, place] for place, name in enumerate(FEATURES)},
        "habit_improbability": improbability(known, Acts(kinds, events.values, usual)) if known else None,
    }
    return pl.DataFrame([_as_catalogued(name, columns[name], len(kinds)) for name in ACTIVITY])


def _as_catalogued(name: str, column: Any, count: int) -> pl.Series:
    """Return a feature as the catalogue has it, one by one: as expressions a few rows cost several times as much."""
    kind = ACTIVITY[name].kind
    if column is None:
        return pl.Series(name, [None], kind).new_from_index(0, count)
    return pl.Series(name, column, nan_to_null=True).cast(kind)


def _raised(event: KeysSighted, place: int, hit: Hit) -> Raised:
    act, kind, ref = event.acts[place], event.kinds[place], event.refs[place]
    platform_id, account_id = event.platform_ids[act], event.account_ids[act]
    at = datetime.fromtimestamp(event.at_ms[act] / 1_000, UTC)
    own = account_id if kind in _OF_ONE_OPERATOR else None
    evidence = [f"{kind}:{ref}", f"order:{event.order_refs[act]}"]
    if account_id is not None and own is None:
        evidence.append(f"account:{account_id}")
    # One alert for a key in a year: which of its orders came last, and so on which day it showed, is chance.
    key = f"{kind}/{ref}/{at.year}"
    subject = Subject(platform_id, own, None, None, at, key, evidence, about(event.keys[place]))
    return Raised(alerts.alert_id(hit.rule.code, subject), subject, hit)
