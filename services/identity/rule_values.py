"""Numbers that are law or policy for operators, as they stood on a date."""

import csv
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from services.identity.linking import REASONS, Policy
from services.identity.models import RuleValue
from shared import rule_rows
from shared.rule_values import NoSuchRule, RuleBook, Value

PolicyOn = Callable[[date], Policy]
_LINKS = "links."
# The strictest law that is known applies where nothing is known of a country, or of its days.
OF_THE_LAW = "CN"
_SEED = Path(__file__).with_name("rule_values.csv")


class RuleValues(rule_rows.RuleValues):
    """The dated values of identity."""

    table = RuleValue

    def asks(self, name: str, *, on: date, jurisdiction: str) -> bool:
        """Tell whether something is asked for on a day: not before its rule begins."""
        try:
            return self.apply(name, on=on, jurisdiction=jurisdiction).value.value > 0
        except NoSuchRule:
            return False

    def link_policy(self, day: date) -> Policy:
        """Return how links are weighed on a day. Raises NoSuchRule."""
        return policy(self.on(day))


def seeded_values() -> RuleBook:
    """Return the values that this version was delivered with."""
    with _SEED.open(newline="", encoding="utf-8") as file:
        return RuleBook(
            Value(
                name=row["name"],
                jurisdiction=row["jurisdiction"],
                valid_from=date.fromisoformat(row["valid_from"]),
                valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                value=float(row["value"]),
                unit=row["unit"],
                source=row["source"],
                stricter=row["stricter"] or None,
            )
            for row in csv.DictReader(file)
        )


def policy(values: Mapping[str, float]) -> Policy:
    """Return how links are weighed by these values. Raises NoSuchRule."""

    def named(name: str) -> float:
        if (found := values.get(_LINKS + name)) is None:
            raise NoSuchRule(f"rule {_LINKS + name!r} has no value")
        return found

    return Policy(
        agreement={kind: named(f"m.{kind}") for kind in REASONS},
        chance={kind: values[f"{_LINKS}u.{kind}"] for kind in REASONS if f"{_LINKS}u.{kind}" in values},
        common_at=named("common_at"),
        threshold=named("threshold"),
        most_holders=int(named("most_holders")),
        most_in_band=int(named("most_in_band")),
        near_name=named("near.name"),
        near_address=named("near.address"),
    )
