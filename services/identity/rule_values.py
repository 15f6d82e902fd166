"""Numbers that are law or policy for operators, as they stood on a date."""

from datetime import date

from services.identity.models import RuleValue
from shared import rule_rows
from shared.rule_values import NoSuchRule


class RuleValues(rule_rows.RuleValues):
    """The dated values of identity."""

    table = RuleValue

    def asks(self, name: str, *, on: date, jurisdiction: str) -> bool:
        """Tell whether something is asked for on a day: not before its rule begins."""
        try:
            return self.apply(name, on=on, jurisdiction=jurisdiction).value.value > 0
        except NoSuchRule:
            return False
