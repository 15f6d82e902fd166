"""What is known of one key: read from what the worker stored of its slot, beside the worker and not in its way."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import asyncpg
import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import activity
from services.risk.cells import Floats
from services.risk.models import Alert
from services.risk.sightings import SLOTS
from services.risk.window_store import Events, unpacked
from services.risk.windows import FEATURES, Span, Windows, key_of
from shared.database import driver
from shared.errors import Invalid, NotFound

# In one statement: between two a snapshot may take the place of batches.
_STORED = """
    SELECT NULL AS version, content FROM window_snapshots WHERE slot = $1
    UNION ALL
    SELECT version, content FROM window_batches WHERE slot = $1
        AND version > coalesce((SELECT version FROM window_snapshots WHERE slot = $1), 0)
    ORDER BY version NULLS FIRST
"""
# Of the events that are not counted one by one, what counts may be off by (`windows.py`).
_MOST_ERROR = 0.15
# What an act is compared with, and a moment is not.
_OF_ACTS = frozenset({"same_device"})
_MOST_ALERTS = 200


class KeyNotSeen(NotFound):
    """Nothing is known of such a key, or nothing any more."""


class TooEarly(Invalid):
    """A moment before a key's newest act: its state does not go back."""


class _Found(NamedTuple):
    """A key with its features at a moment, in ms since 1970."""

    span: Span
    at: int
    features: Floats


async def known(
    session: AsyncSession, kind: str, platform_id: str, ref: str, *, as_of: datetime | None, now: datetime
) -> dict[str, Any]:
    """Return what a key did lately, as of a moment or, where that is later, of what was seen last.

    Raises KeyNotSeen, and TooEarly where the key did something after `as_of`.
    """
    key = key_of(kind, platform_id, ref)
    rows = await (await driver(session)).fetch(_STORED, key % SLOTS)
    # A snapshot of many keys takes a while to read.
    found = await asyncio.to_thread(_read, rows, key, as_of, now)
    if found is None:
        raise KeyNotSeen(f"nothing is known of the {kind} {ref!r} of {platform_id}")
    span = found.span
    return {
        "kind": kind,
        "platform_id": platform_id,
        "ref": ref,
        "as_of": _moment(found.at),
        "first_seen_at": _moment(span.first),
        "is_first": span.is_first,
        "last_seen_at": _moment(span.last),
        "features": _named(found.features),
        "count_error_share": 0.0 if span.is_exact else _MOST_ERROR,
        "partners_are_exact": span.is_exact and span.has_all_partners,
        "alerts": await _alerts(session, key),
    }


def _read(rows: Sequence[asyncpg.Record], key: int, as_of: datetime | None, now: datetime) -> _Found | None:
    windows, until = restored(rows, key)
    span = windows.span_of(key)
    if span is None:
        return None
    if as_of is not None and _milliseconds(as_of) < span.last:
        raise TooEarly(f"its newest act is of {_moment(span.last).isoformat()}", pointer="/query/as_of")
    at = max(span.last, min(_milliseconds(as_of or now), until))
    features = windows.as_of(key, at)
    assert features is not None, "it was found above"
    return _Found(span, at, features)


def restored(rows: Sequence[asyncpg.Record], key: int) -> tuple[Windows, int]:
    """Return what is stored of a key, and the time of the newest act of all keys of its slot."""
    windows, until = Windows(), 0
    for version, content in rows:
        if version is None:
            until = windows.restore_one(content, key)
            continue
        events = unpacked(content)
        until = max(until, int(events.times.max(initial=0)))
        windows.fold(*Events(*(column[events.keys == key] for column in events)))
    return windows, until


def _named(features: Floats) -> dict[str, float | None]:
    pairs = zip(FEATURES, cast("list[float]", features.tolist()), strict=True)
    return {name: None if np.isnan(value) else value for name, value in pairs if name not in _OF_ACTS}


async def _alerts(session: AsyncSession, key: int) -> list[Alert]:
    own = select(Alert).where(Alert.subject == activity.about(key), Alert.state == "open")
    newest = own.order_by(Alert.raised_at.desc(), Alert.id.desc()).limit(_MOST_ALERTS)
    return list((await session.execute(newest)).scalars())


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC)
