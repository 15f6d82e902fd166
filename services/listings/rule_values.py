"""Numbers that are law or policy, as they stood on a date."""

from datetime import date

from services.listings.matching import Tolerances
from services.listings.models import RuleValue
from shared import rule_rows


class RuleValues(rule_rows.RuleValues):
    """The dated values of listings."""

    table = RuleValue

    def tolerances(self, on: date) -> Tolerances:
        """Return what documents of a transaction may differ by on a date. Raises NoSuchRule."""
        return Tolerances(*self.named("match.amount_tolerance", "match.weight_share", on=on))
