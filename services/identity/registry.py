"""What public registers say: of a number, of a name, as of a day; and how a registration file stands to it."""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.conditions import File
from services.identity.name_likeness import Comparison, compare, grams, normal_name
from services.identity.numbers import normal_form
from services.identity.personal import HIDDEN
from services.identity.registry_tables import RegistryEntry, RegistryExtract
from services.identity.rule_values import RuleValues
from services.identity.verification import NO_REGISTER, Register
from shared.database import driver, kept
from shared.errors import NotFound

FRESH_SECONDS = 2.0
CUSTOMS = "customs"
_SHARED = text(
    "cardinality(ARRAY(SELECT unnest(registry_entries.grams) INTERSECT SELECT unnest(CAST(:wanted AS text[])))) DESC"
)
_ENTRIES = """
    SELECT x.place, e.name, e.status
    FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::date[]) AS x (place, jurisdiction, scheme, number, d)
    JOIN registry_entries e ON e.jurisdiction = x.jurisdiction AND e.scheme = x.scheme AND e.number = x.number
        AND e.valid_from <= x.d AND (e.valid_to IS NULL OR e.valid_to > x.d)
"""
_MOST_FOUND = 50
_MOST_LOOKED_AT = 2_000
_SHOWN = (
    *("jurisdiction", "scheme", "stated_on", "is_complete", "file_name", "state", "rows", "broken", "changed", "ended"),
    *("begun_at", "loaded_at"),
)
_OVER = frozenset({"revoked", "cancelled", "moved"})


class RegisterNotLoaded(NotFound):
    """No extract of this register has been loaded for that day."""

    code = "register_not_loaded"


class NotRegistered(NotFound):
    """The register has no such number or name on that day."""

    code = "not_registered"


class Hit(NamedTuple):
    """An entry found by its name."""

    entry: RegistryEntry
    comparison: Comparison


class Extracts:
    """A process's memory of which registers are loaded, so that a file costs no question where none is."""

    def __init__(self) -> None:
        self._until = 0.0
        self._of: dict[tuple[str, str], list[tuple[date, bool]]] = {}

    async def refresh(self, session: AsyncSession) -> None:
        """Read them again if they are no longer fresh."""
        if self._until < time.monotonic():
            loaded = (
                select(RegistryExtract).where(RegistryExtract.state == "loaded").order_by(RegistryExtract.stated_on)
            )
            self._of = {}
            for row in (await session.execute(loaded)).scalars():
                self._of.setdefault((row.jurisdiction, row.scheme), []).append((row.stated_on, row.is_complete))
            self._until = time.monotonic() + FRESH_SECONDS

    def covers(self, jurisdiction: str, scheme: str) -> bool:
        """Tell whether any extract of a register is loaded."""
        return (jurisdiction, scheme) in self._of

    def is_complete(self, jurisdiction: str, scheme: str, on: date) -> bool:
        """Tell whether a register was loaded whole by a day: who is not in it is not registered."""
        return any(whole and stated_on <= on for stated_on, whole in self._of.get((jurisdiction, scheme), ()))


class Question(NamedTuple):
    """A registration of a file that a register is asked about, as of a day."""

    file: File
    scheme: str
    number: str
    on: date


def asked_of_register(file: File, on: date) -> Question | None:
    """Return what the register of a file's own number is asked; nothing where none is stated, or kept."""
    # The number of a natural person is not kept, so nobody can be asked about it later.
    if file.registration is None or file.registration.number == HIDDEN:
        return None
    return Question(file, file.registration.scheme.lower(), file.registration.number, on)


def asked_of_customs(file: File, on: date) -> Question | None:
    """Return what customs' own register is asked of the registration that a file states."""
    if not (file.customs_registration or "").strip():
        return None
    return Question(file, CUSTOMS, file.customs_registration or "", on)


async def register_of(session: AsyncSession, file: File, on: date) -> Register:
    """Return how the register of a file's number stands to it on a day; `unknown` where it cannot say."""
    (answer,) = await answers(session, [asked_of_register(file, on)])
    return answer


async def answers(session: AsyncSession, questions: Sequence[Question | None]) -> list[Register]:
    """Return what registers say, in order; nothing of what they are not asked, or where none is loaded."""
    loaded, values = kept(session, Extracts), kept(session, RuleValues)
    await loaded.refresh(session)
    await values.refresh(session)
    covered = {
        place: (one.file.jurisdiction.upper(), one.scheme, normal_form(one.number), one.on)
        for place, one in enumerate(questions)
        if one is not None and loaded.covers(one.file.jurisdiction.upper(), one.scheme)
    }
    entries = await _entries(session, covered)
    return [
        NO_REGISTER
        if one is None or place not in covered
        else _standing(one, entries.get(place), values, is_complete=loaded.is_complete(*covered[place][:2], one.on))
        for place, one in enumerate(questions)
    ]


async def _entries(session: AsyncSession, asked: Mapping[int, tuple[str, str, str, date]]) -> dict[int, asyncpg.Record]:
    if not asked:
        return {}
    rows = await (await driver(session)).fetch(_ENTRIES, list(asked), *zip(*asked.values(), strict=True))
    return {row["place"]: row for row in rows}


def _standing(one: Question, entry: asyncpg.Record | None, values: RuleValues, *, is_complete: bool) -> Register:
    if entry is None:
        return Register("absent" if is_complete else "unknown")
    jurisdiction = one.file.jurisdiction.upper()
    near = values.apply("registry.name_near", on=one.on, jurisdiction=jurisdiction).value.value
    compared = compare(entry["name"], one.file.legal_name, near_from=near)
    return Register("ended" if entry["status"] in _OVER else "registered", compared.likeness, entry["name"])


async def near_from(session: AsyncSession, jurisdiction: str, on: date) -> float:
    """Return from which likeness on a name counts as near."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    return values.apply("registry.name_near", on=on, jurisdiction=jurisdiction).value.value


async def by_number(session: AsyncSession, *, jurisdiction: str, scheme: str, number: str, on: date) -> RegistryEntry:
    """Return what a register says of a number on a day. Raises RegisterNotLoaded, NotRegistered."""
    await _check_loaded(session, jurisdiction, scheme, on)
    known = await entry(session, jurisdiction, scheme, normal_form(number), on)
    if known is None:
        raise NotRegistered(f"the register {scheme} of {jurisdiction} has no {number!r} on {on}")
    return known


async def by_name(session: AsyncSession, *, jurisdiction: str, scheme: str, name: str, on: date) -> list[Hit]:
    """Return the entries with a name, or with names near it, the likest first. Raises RegisterNotLoaded."""
    await _check_loaded(session, jurisdiction, scheme, on)
    near = await near_from(session, jurisdiction, on)
    holding = _holding(jurisdiction, scheme, on)
    same = holding.where(RegistryEntry.normal_name == normal_name(name)).order_by(RegistryEntry.number)
    found = list((await session.execute(same.limit(_MOST_FOUND))).scalars())
    hits = [Hit(one, compare(one.name, name, near_from=near)) for one in found]
    if not hits:
        candidates = (await session.execute(_alike(holding, name))).scalars()
        compared = [Hit(one, compare(one.name, name, near_from=near)) for one in candidates]
        hits = [hit for hit in compared if hit.comparison.likeness == "near"]
    return sorted(hits, key=lambda hit: (-hit.comparison.score, hit.entry.number))[:_MOST_FOUND]


def _alike(holding: Select[RegistryEntry], name: str) -> Select[RegistryEntry]:
    """Return entries that share pairs of signs with a name, those that share most first."""
    wanted = grams(name)
    return (
        holding.where(RegistryEntry.grams.overlap(wanted))
        .order_by(_SHARED.bindparams(wanted=wanted), RegistryEntry.number)
        .limit(_MOST_LOOKED_AT)
    )


async def history(session: AsyncSession, *, jurisdiction: str, scheme: str, number: str) -> Sequence[RegistryEntry]:
    """Return everything a register ever said of a number, the oldest first."""
    found = select(RegistryEntry).where(
        RegistryEntry.jurisdiction == jurisdiction,
        RegistryEntry.scheme == scheme,
        RegistryEntry.number == normal_form(number),
    )
    return (await session.execute(found.order_by(RegistryEntry.valid_from))).scalars().all()


async def extracts(session: AsyncSession) -> list[dict[str, Any]]:
    """Return what was loaded, the newest first."""
    found = select(RegistryExtract).order_by(RegistryExtract.begun_at.desc()).limit(200)
    return [{name: getattr(row, name) for name in _SHOWN} for row in (await session.execute(found)).scalars()]


async def _check_loaded(session: AsyncSession, jurisdiction: str, scheme: str, on: date) -> None:
    loaded = select(RegistryExtract.id).where(
        RegistryExtract.jurisdiction == jurisdiction,
        RegistryExtract.scheme == scheme,
        RegistryExtract.state == "loaded",
        RegistryExtract.stated_on <= on,
    )
    if (await session.execute(loaded.limit(1))).scalar_one_or_none() is None:
        raise RegisterNotLoaded(f"no extract of the register {scheme} of {jurisdiction} is loaded for {on}")


async def entry(session: AsyncSession, jurisdiction: str, scheme: str, number: str, on: date) -> RegistryEntry | None:
    """Return what a register says of a number on a day, if it does."""
    found = _holding(jurisdiction, scheme, on).where(RegistryEntry.number == number)
    return (await session.execute(found)).scalar_one_or_none()


def _holding(jurisdiction: str, scheme: str, on: date) -> Select[RegistryEntry]:
    return select(RegistryEntry).where(
        RegistryEntry.jurisdiction == jurisdiction,
        RegistryEntry.scheme == scheme,
        RegistryEntry.valid_from <= on,
        RegistryEntry.valid_to.is_(None) | (RegistryEntry.valid_to > on),
    )
