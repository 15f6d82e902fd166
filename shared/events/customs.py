"""What is stated of customs declarations: by the platform they were lodged through, or by a customs system itself."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from shared.events.platform import Amount, Country, Currency, Mode, PlatformEvent, Ref, Zoned

HsCode = Annotated[str, Meta(min_length=1, max_length=40, description="Harmonized System, six to ten digits")]
Grams = Annotated[int, Meta(ge=1, le=10**9, description="Grams")]
BasisPoints = Annotated[int, Meta(ge=0, le=100_000, description="Hundredths of a per cent")]
Kind = Annotated[str, Meta(min_length=1, max_length=80)]
Note = Annotated[str, Meta(max_length=2_000)]
Result = Literal["conforming", "violation"]
Violation = Literal[
    "undervaluation", "misclassification", "false_origin", "quantity", "prohibited_goods", "infringement", "other"
]


class _Declared(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """`platform_id` says whose declaration it is where a customs system states it; a platform's are its own."""

    to: ClassVar[str] = "risk"
    declaration_ref: Ref
    platform_id: Ref | None = None


class DeclarationLodged(_Declared, frozen=True, kw_only=True, omit_defaults=True):
    """Goods were declared to customs; the same `declaration_ref` again states the declaration anew."""

    type: ClassVar[str] = "customs.declaration.lodged.v1"
    importer_ref: Ref
    hs_code: HsCode
    origin_country: Country
    departure_country: Country
    gross_g: Grams
    net_g: Grams
    value_minor: Amount
    currency: Currency
    lodged_on: date
    seller_ref: Ref | None = None
    # The order that the goods were sold in, at the platform that the declaration is of.
    order_ref: Ref | None = None
    declarant_ref: Ref | None = None
    mode: Mode = "B2C"
    tax_rate_bp: BasisPoints | None = None
    tax_type: Kind | None = None
    office: Kind | None = None
    transport_mode: Kind | None = None
    import_type: Kind | None = None
    import_use: Kind | None = None
    payment_type: Kind | None = None
    origin_indicator: Kind | None = None


class DeclarationCleared(_Declared, frozen=True, kw_only=True, omit_defaults=True):
    """Customs let declared goods go, with the values as they finally stood where they changed."""

    type: ClassVar[str] = "customs.declaration.cleared.v1"
    cleared_at: Zoned
    hs_code: HsCode | None = None
    origin_country: Country | None = None
    net_g: Grams | None = None
    value_minor: Amount | None = None
    currency: Currency | None = None
    tax_rate_bp: BasisPoints | None = None


class InspectionRecorded(_Declared, frozen=True, kw_only=True, omit_defaults=True):
    """Goods were inspected; the same declaration again revises the result. Only what customs found is learned from."""

    type: ClassVar[str] = "customs.inspection.recorded.v1"
    result: Result
    violation: Violation | None = None
    inspected_on: date | None = None
    note: Note | None = None


CUSTOMS_EVENTS: tuple[type[PlatformEvent], ...] = (DeclarationLodged, DeclarationCleared, InspectionRecorded)
