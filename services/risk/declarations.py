"""Customs declarations: their columns, what is wrong with a value, and what earlier inspections say of like goods."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import polars as pl

from services.risk import tables
from services.risk.boosting import Floats
from services.risk.tables import Column, Fault, Problem

# Of one declaration: a text for each likeness, None where a part of it is unknown.
Keys: TypeAlias = tuple[str | None, ...]
# Of many: what each inspection found.
Outcomes: TypeAlias = Sequence[bool | None]
# How many inspections there were, and how many of them found a violation.
Counts: TypeAlias = tuple[int, int]


COLUMNS: dict[str, Column] = {
    "declaration_ref": Column(pl.String, ("Declaration ID",), "The declaration", required=True),
    "lodged_on": Column(pl.Date, ("Date",), "Day it was lodged", required=True),
    "hs_code": Column(pl.String, ("HS6 Code",), "Heading of the Harmonized System, six digits", required=True),
    "net_kg": Column(pl.Float64, ("Net Mass",), "Net mass in kilograms", required=True),
    "value": Column(pl.Float64, ("Item Price",), "Value in one currency", required=True),
    "tax_rate": Column(pl.Float64, ("Tax Rate",), "Duty in per cent"),
    "tax_type": Column(pl.String, ("Tax Type",), "Kind of duty"),
    "origin_country": Column(pl.String, ("Country of Origin",), "Country of origin"),
    "departure_country": Column(pl.String, ("Country of Departure",), "Country of departure"),
    "origin_indicator": Column(pl.String, ("Country of Origin Indicator",), "How the origin is marked"),
    "office": Column(pl.String, ("Office ID",), "Customs office"),
    "import_type": Column(pl.String, ("Import Type",), "Kind of import"),
    "import_use": Column(pl.String, ("Import Use",), "What the goods are for"),
    "payment_type": Column(pl.String, ("Payment Type",), "How it is paid"),
    "transport_mode": Column(pl.String, ("Mode of Transport",), "Mode of transport"),
}
_FAULTS = {
    "hs_code": Fault("is not four to ten digits", ~pl.col("hs_code").str.contains(r"^\d{4,10}$")),
    "net_kg": Fault("is not a mass above 0 kg", ~pl.col("net_kg").is_finite() | (pl.col("net_kg") <= 0)),
    "value": Fault("is not an amount from 0", ~pl.col("value").is_finite() | (pl.col("value") < 0)),
    "lodged_on": Fault("is not a date (YYYY-MM-DD)"),
}

# What counts as goods of the same kind, the narrowest first. The parties are left out: their history said nothing
# about the next declaration (docs/detection.md).
LIKENESS: dict[str, tuple[str, ...]] = {
    "same_goods": ("hs_code", "net_kg", "value"),
    "same_mass_and_value": ("net_kg", "value"),
    "same_heading_and_value": ("hs_code", "value"),
    "same_heading_and_mass": ("hs_code", "net_kg"),
    "same_heading_and_origin": ("hs_code", "origin_country"),
    "same_heading": ("hs_code",),
}
# A kind that was inspected n times counts as n + 2 inspections, two of them as all goods are on average.
PRIOR_INSPECTIONS = 2.0
# What was found on a day says nothing of what is lodged on that day.
LEAST_DELAY_DAYS = 1
NEVER: Counts = (0, 0)


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return declarations as `tables.read()` reads them. The headers known are those of arXiv 2208.02484."""
    frame, problems = tables.read(raw, COLUMNS, names, _FAULTS)
    return _with_headings(frame), problems


def frame_of(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return declarations whose values are possible, by the names of `COLUMNS`; what is left out is unknown."""
    schema = {name: column.kind for name, column in COLUMNS.items()}
    return _with_headings(pl.DataFrame([[row.get(name) for name in schema] for row in rows], schema, orient="row"))


def _with_headings(frame: pl.DataFrame) -> pl.DataFrame:
    # Codes have an even number of digits; a spreadsheet takes the zero off the front of some.
    code = pl.col("hs_code")
    whole = pl.when(code.str.len_chars() % 2 == 1).then(pl.concat_str(pl.lit("0"), code)).otherwise(code)
    return frame.with_columns(whole.str.head(6).alias("hs_code"))


class History:
    """What inspections found, by likeness of the goods: how many there were, and how many found a violation.

    An outcome counts from the day it is known, not before.
    """

    def __init__(self) -> None:
        self._known: tuple[dict[str, list[int]], ...] = tuple({} for _ in LIKENESS)
        self._all = [0, 0]
        self._awaited: deque[tuple[int, Keys, bool]] = deque()

    def expect(self, day: int, keys: Keys, *, violated: bool) -> None:
        """Take note of an outcome that is known from a day on, in days since 1970; days do not go back."""
        self._awaited.append((day, keys, violated))

    def advance(self, day: int) -> None:
        """Learn what is known on a day."""
        while self._awaited and self._awaited[0][0] <= day:
            _, keys, violated = self._awaited.popleft()
            _add(self._all, violated)
            for known, key in zip(self._known, keys, strict=True):
                if key is not None:
                    _add(known.setdefault(key, [0, 0]), violated)

    def describe(self, keys: Keys) -> list[float]:
        """Return what was found of like goods, as `describe()` puts it."""
        found = [
            known.get(key, NEVER) if key is not None else NEVER for known, key in zip(self._known, keys, strict=True)
        ]
        return describe(found, self._all)


def describe(found: Sequence[Sequence[int]], overall: Sequence[int]) -> list[float]:
    """Return the number of inspections and the smoothed rate of violations, for each likeness in turn.

    `found` has the counts of each likeness, `overall` those of all goods.
    """
    inspected, violations = overall
    base = violations / inspected if inspected else 0.0
    described: list[float] = []
    for inspected, violations in found:
        rate = (violations + PRIOR_INSPECTIONS * base) / (inspected + PRIOR_INSPECTIONS)
        described += (inspected, rate)
    return described


def _add(counts: list[int], violated: bool) -> None:  # noqa: FBT001 - an outcome, not a switch
    counts[0] += 1
    counts[1] += violated


def keys_of(frame: pl.DataFrame) -> list[Keys]:
    """Return what each declaration's goods are like, a text for each likeness; None where a part is unknown."""
    columns = [
        frame.select(pl.concat_str(pl.col(list(parts)).cast(pl.String), separator="|")).to_series().to_list()
        for parts in LIKENESS.values()
    ]
    return list(zip(*columns, strict=True))


def through_time(frame: pl.DataFrame, outcomes: Outcomes, history: History, delay: timedelta) -> Floats:
    """Return for each declaration what was known of like goods on its day: (rows, 2 for each likeness).

    An outcome counts from `delay` after the day its declaration was lodged; None is not inspected, or not yet. What
    `history` knows already counts for all of them, so they come after what it learned from. A declaration without a day
    comes first, and nothing is learned from it.
    """
    keys = keys_of(frame)
    days = frame["lodged_on"].to_physical().fill_null(0).to_list()
    described = np.empty((frame.height, 2 * len(LIKENESS)))
    for row in sorted(range(frame.height), key=days.__getitem__):
        history.advance(days[row])
        described[row] = history.describe(keys[row])
        outcome = outcomes[row]
        if outcome is not None and days[row]:
            history.expect(days[row] + max(delay.days, LEAST_DELAY_DAYS), keys[row], violated=outcome)
    return described
