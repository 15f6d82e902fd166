"""What is asked of an operator before it is let in, told beforehand: by place, kind of entity, mode and trades."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from services.identity import conditions, remedies
from services.identity.rule_values import RuleValues


class Condition(NamedTuple):
    """Something that is asked: by which rule, after which article, and the code and remedy where it is missing."""

    rule: str
    article: str
    code: str
    remedy: str


class Applicant(NamedTuple):
    """Who would be let in, as far as conditions depend on it."""

    jurisdiction: str
    entity_type: str
    mode: str
    trades: Sequence[str]


def conditions_for(applicant: Applicant, values: RuleValues, *, on: date) -> list[Condition]:
    """Return everything that is asked of an applicant on a day."""
    known = values.on(on, applicant.jurisdiction)
    kind = conditions.entity_kind(applicant.entity_type)
    wanted = dict(conditions.ASKED)
    for one in conditions.needed(applicant.trades):
        wanted[f"qualification.{one.name}"] = f"qualification_missing_{one.name}"
    found = []
    for name, code in wanted.items():
        rule = conditions.rule_that_asks(known, name, kind, applicant.mode)
        if rule is not None:
            article = values.apply(rule, on=on, jurisdiction=applicant.jurisdiction).value.source
            (refusal,) = remedies.explained([code], values, on=on, jurisdiction=applicant.jurisdiction)
            found.append(Condition(rule, article, code, refusal.remedy))
    return found
