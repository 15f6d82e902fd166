"""What a refusal rests on and what would mend it: an article and a sentence for every code."""

import csv
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from services.identity.rule_values import RuleValues
from shared.rule_values import NoSuchRule

_QUALIFICATION = ("qualification_missing", "qualification_expired")
_NO_ARTICLE = "The rules of the register"
_NO_REMEDY = "Correct the file and send it again"


class Refusal(NamedTuple):
    """A code with the article it rests on, as it was on the file's day, and what would mend it."""

    code: str
    article: str
    remedy: str


class _Known(NamedTuple):
    rule: str
    article: str
    remedy: str


def explained(codes: Sequence[str], values: RuleValues, *, on: date, jurisdiction: str) -> list[Refusal]:
    """Return what each code rests on and what would mend it."""
    return [_explained(code, values, on, jurisdiction) for code in codes]


def _explained(code: str, values: RuleValues, on: date, jurisdiction: str) -> Refusal:
    group = next((group for group in _QUALIFICATION if code.startswith(f"{group}_")), code)
    known = _table().get(group, _Known("", _NO_ARTICLE, _NO_REMEDY))
    rule = f"{known.rule}.{code.removeprefix(f'{group}_')}" if group != code else known.rule
    if not rule:
        return Refusal(code, known.article, known.remedy)
    try:
        article = values.apply(rule, on=on, jurisdiction=jurisdiction).value.source
    except NoSuchRule:
        # The rule has ended, or was of another place; what was found then stays found.
        article = known.article or _NO_ARTICLE
    return Refusal(code, article, known.remedy)


@lru_cache(maxsize=1)
def _table() -> dict[str, _Known]:
    with Path(__file__).with_name("remedies.csv").open(newline="", encoding="utf-8") as file:
        return {row["code"]: _Known(row["rule"], row["article"], row["remedy"]) for row in csv.DictReader(file)}
