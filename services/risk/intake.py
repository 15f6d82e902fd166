"""What risk takes: declarations, security incidents, totals of months, and which values cannot be."""

import re
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pycountry

from services.risk.money import is_currency
from shared.clock import utc_now
from shared.events.customs import DeclarationCleared, DeclarationLodged, InspectionRecorded
from shared.events.platform import PlatformEvent, SecurityIncidentReported, TotalsStated
from shared.identifiers import declaration_id, derived_id, incident_id, is_customs
from shared.ingest import Ingest
from shared.ingest_faults import Fault

TOPIC = "risk.accepted"
_CODE = re.compile(r"[0-9]{6,10}")
# 77 is reserved in the Harmonized System; 98 and 99 are left to the countries.
_CHAPTERS = frozenset(f"{number:02}" for number in range(1, 100)) - {"77"}
_COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries)
# Where it is tomorrow already.
_EASTERNMOST = timedelta(hours=14)
_CLOCKS_DIFFER = timedelta(hours=1)


def owner(sender: str, event: Any) -> str:  # any event of a declaration
    """Return whose declaration it is: as customs states, otherwise the sender's."""
    stated: str | None = event.platform_id
    return stated or sender


def _declaration(sender: str, event: Any) -> Any:  # as above
    return declaration_id(owner(sender, event), event.declaration_ref)


def _incident(sender: str, event: Any) -> Any:  # a report of an incident
    return incident_id(sender, event.incident_ref)


def fault(sender: str, event: PlatformEvent) -> Fault | None:
    """Return what is wrong with an event beyond its form."""
    if type(event) is SecurityIncidentReported:
        return _incident_fault(sender, event)
    if type(event) is TotalsStated:
        return _totals_fault(sender, event)
    return _declaration_fault(sender, event)


def _declaration_fault(sender: str, event: Any) -> Fault | None:  # any event of a declaration
    if event.platform_id not in (None, sender) and not is_customs(sender):
        return Fault("foreign_platform", "only customs states whose declaration it is", "/data/platform_id")
    if type(event) is InspectionRecorded:
        return _inspection_fault(event)
    return _goods_fault(event) or (_lodging_fault(event) if type(event) is DeclarationLodged else None)


def _incident_fault(sender: str, event: SecurityIncidentReported) -> Fault | None:
    if is_customs(sender):
        return Fault("foreign_platform", "only platforms report incidents of theirs", "/data/incident_ref")
    if event.found_at > utc_now() + _CLOCKS_DIFFER:
        return Fault("date_in_future", f"{event.found_at.isoformat()} is still to come", "/data/found_at")
    return None


def _totals_fault(sender: str, event: TotalsStated) -> Fault | None:
    if is_customs(sender):
        return Fault("foreign_totals", "only a platform states what its months come to", "/type")
    if not is_currency(event.currency):
        return _currency_fault(event.currency)
    if event.order_refs is not None and event.operator_ref is not None:
        return Fault("contradiction", "orders are listed of the platform's whole month only", "/data/order_refs")
    if event.order_refs is not None and (listed := len(set(event.order_refs))) != event.orders:
        what = f"{listed} different orders are listed, {event.orders} stated"
        return Fault("contradiction", what, "/data/order_refs")
    return _month_fault(event.month)


def _month_fault(month: str) -> Fault | None:
    try:
        start = date.fromisoformat(f"{month}-01")
    except ValueError:
        return Fault("invalid_month", f"{month!r} is not a year and a month, as in 2026-03", "/data/month")
    if start.year < 1990:
        return Fault("date_out_of_range", "totals are of 1990 or later", "/data/month")
    if start.year == date.max.year or (start + timedelta(days=31)).replace(day=1) > utc_now().date():
        return Fault("month_not_over", f"{month} is not over (UTC)", "/data/month")
    return None


def _totals(sender: str, event: TotalsStated) -> UUID:
    return derived_id("totals", sender, event.month, event.currency)


def _goods_fault(event: DeclarationLodged | DeclarationCleared) -> Fault | None:
    if event.hs_code is not None and _CODE.fullmatch(event.hs_code) is None:
        return Fault("invalid_hs_code", f"{event.hs_code[:40]!r} is not six to ten digits", "/data/hs_code")
    if event.hs_code is not None and (chapter := _chapter(event.hs_code)) not in _CHAPTERS:
        return Fault("unknown_hs_chapter", f"the Harmonized System has no chapter {chapter}", "/data/hs_code")
    if event.currency is not None and not is_currency(event.currency):
        return _currency_fault(event.currency)
    return _country_fault(event, "origin_country")


def _lodging_fault(event: DeclarationLodged) -> Fault | None:
    if event.net_g > event.gross_g:
        return Fault("net_over_gross", f"{event.net_g} g net are more than {event.gross_g} g gross", "/data/net_g")
    if event.lodged_on > (utc_now() + _EASTERNMOST).date():
        return Fault("date_in_future", f"{event.lodged_on} is still to come", "/data/lodged_on")
    if event.lodged_on.year < 1990:
        return Fault("date_out_of_range", "declarations are of 1990 or later", "/data/lodged_on")
    return _country_fault(event, "departure_country")


def _inspection_fault(event: InspectionRecorded) -> Fault | None:
    day = event.inspected_on
    if day is not None and day > (utc_now() + _EASTERNMOST).date():
        return Fault("date_in_future", f"{day} is still to come", "/data/inspected_on")
    if day is not None and day.year < 1990:
        return Fault("date_out_of_range", "inspections are of 1990 or later", "/data/inspected_on")
    if event.violation is not None and event.result != "violation":
        return Fault("contradiction", f"a {event.result} inspection has no kind of violation", "/data/violation")
    return None


def _country_fault(event: DeclarationLodged | DeclarationCleared, field: str) -> Fault | None:
    code = getattr(event, field)
    if code is None or code in _COUNTRIES:
        return None
    return Fault("unknown_country", f"{code!r} is not an ISO 3166-1 country", f"/data/{field}")


def _currency_fault(code: str) -> Fault:
    return Fault("unknown_currency", f"{code!r} is not an ISO 4217 currency", "/data/currency")


def _chapter(code: str) -> str:
    """Return the first two digits; codes have an even number of them, and some lost the zero at their front."""
    return code.zfill(len(code) + len(code) % 2)[:2]


INGEST = Ingest(
    topic=TOPIC,
    subjects={
        DeclarationLodged: _declaration,
        DeclarationCleared: _declaration,
        InspectionRecorded: _declaration,
        SecurityIncidentReported: _incident,
        TotalsStated: _totals,
    },
    faults=fault,
)
