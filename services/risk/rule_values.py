"""Numbers that are policy, as they stood on a date: what is inspected, what models are judged by, exchange rates."""

from datetime import date

from services.risk.channels import Policy
from services.risk.models import RuleValue
from services.risk.money import minor_units
from shared import rule_rows


class RuleValues(rule_rows.RuleValues):
    """The dated values of risk."""

    table = RuleValue

    def policy(self, day: date) -> Policy:
        """Return how declarations are channelled on a day. Raises NoSuchRule."""
        names = ("inspected_share", "daily_cap", "exploration_share", "document_share", "history_days")
        inspected, cap, exploration, documents, days = self.named(*(f"declarations.{name}" for name in names), on=day)
        return Policy(inspected, int(cap), exploration, documents, int(days))

    def comparable(self, value_minor: int, currency: str, day: date) -> float | None:
        """Return an amount in the currency that all are compared in; None where the day has no rate."""
        rate = self.on(day).get(f"exchange.{currency}")
        return None if rate is None else round(value_minor / minor_units(currency) * rate, 2)
