"""What risk publishes: alerts with their reasons, and how declarations are channelled."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from msgspec import Struct, field

from shared.events.base import Event

RiskClass = Literal["A", "B", "C", "D"]
Severity = Literal["low", "medium", "high", "critical"]
KeyKind = Literal["account", "pair", "buyer", "device", "address", "listing", "payer", "courier", "waybill"]
Channel = Literal["release", "document_check", "inspection"]


class Contribution(Struct, frozen=True, kw_only=True):
    """One feature's value behind an alert, with its share of the score."""

    feature: str
    value: float
    points: float


class AlertRaised(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A rule was hit for a subject for the first time in its window; `alert_id` depends on nothing else."""

    type: ClassVar[str] = "risk.alert.raised.v1"
    topic: ClassVar[str] = "risk.alerts"
    alert_id: UUID
    account_id: UUID | None
    platform_id: str
    rule: str
    rule_version: int
    severity: Severity
    score: float
    reason: str
    window_start: datetime
    contributions: list[Contribution]
    transaction_id: UUID | None = None
    order_ref: str | None = None
    # What it rests on besides: `order:`, `review:`, `removed:` or `ring:` with a reference or an id, `before:` and
    # `after:` with an amount.
    evidence: list[str] = field(default_factory=list)

    def key(self) -> UUID:
        """Return the operator's account, or the alert where no operator is known."""
        return self.account_id or self.alert_id


class AlertWithdrawn(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A later document cleared what an alert was raised for."""

    type: ClassVar[str] = "risk.alert.withdrawn.v1"
    topic: ClassVar[str] = "risk.alerts"
    alert_id: UUID
    account_id: UUID | None
    platform_id: str
    rule: str
    severity: Severity
    reason: str

    def key(self) -> UUID:
        """Return the operator's account, or the alert where no operator is known."""
        return self.account_id or self.alert_id


class Reason(Struct, frozen=True, kw_only=True):
    """What the alerts of one rule add to an operator's points."""

    rule: str
    alerts: int
    points: float


class OperatorAssessed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An operator's class became another one; `probability` is that of something severe within thirty days."""

    type: ClassVar[str] = "risk.operator.assessed.v1"
    topic: ClassVar[str] = "risk.operators"
    operator_id: UUID
    risk_class: RiskClass
    risk_class_before: RiskClass | None
    points: float
    probability: float
    reasons: list[Reason]

    def key(self) -> UUID:
        """Return the operator."""
        return self.operator_id


class InvestigationProposed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Several signals about an operator agree, for the first time."""

    type: ClassVar[str] = "risk.investigation.proposed.v1"
    topic: ClassVar[str] = "risk.operators"
    investigation_id: UUID
    operator_id: UUID
    points: float
    reasons: list[Reason]

    def key(self) -> UUID:
        """Return the operator."""
        return self.operator_id


class OperatorWarned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The chance of something severe of an operator rose over the threshold; once until it has fallen again."""

    type: ClassVar[str] = "risk.operator.warned.v1"
    topic: ClassVar[str] = "risk.operators"
    warning_id: UUID
    operator_id: UUID
    # That something severe is found until `until`, and from what chance on is warned.
    probability: float
    threshold: float
    until: date
    risk_class: RiskClass
    # `class`, or the model of single operators, with what speaks for it by the model.
    forecast_by: str
    reasons: list[str]

    def key(self) -> UUID:
        """Return the operator."""
        return self.operator_id


class RuleSuspended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A rule was switched off by itself: it failed, took too long, or held for nearly everything."""

    type: ClassVar[str] = "risk.rule.suspended.v1"
    topic: ClassVar[str] = "risk.rules"
    # The same for all versions of a rule.
    rule_id: UUID
    code: str
    version: int
    because: str

    def key(self) -> UUID:
        """Return the rule, so that what happens to it stays in order."""
        return self.rule_id


class ChainExtended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The hash chain of what a platform stated grew; whoever keeps its head can tell later whether it was rewritten."""

    type: ClassVar[str] = "risk.chain.extended.v1"
    topic: ClassVar[str] = "risk.chains"
    chain_id: UUID
    platform_id: str
    # Links so far, SHA-256 of the last one as hex, and revisions in all of them.
    length: int
    hash: str
    entries: int

    def key(self) -> UUID:
        """Return the chain."""
        return self.chain_id


class DeclarationChannelled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A declaration was lodged, or stated anew, and sent to release, document check or inspection."""

    type: ClassVar[str] = "risk.declaration.channelled.v1"
    topic: ClassVar[str] = "risk.declarations"
    declaration_id: UUID
    account_id: UUID
    platform_id: str
    declaration_ref: str
    channel: Channel
    score: float
    reasons: list[str]
    explored: bool
    selection_probability: float | None
    model: str
    policy_on: date
    lodged_on: date
    hs_code: str
    origin_country: str
    value_minor: int
    currency: str

    def key(self) -> UUID:
        """Return the account of the seller, or of the importer where there is none."""
        return self.account_id


class KeysSighted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Trade showed buyers, devices, payers and the like whose numbers fall into one slot of the second stage.

    Columns: one entry an act (an order of one operator, a payment, a parcel), and one entry a sighting, which names its
    act by its place. All sightings of one key are in one slot, so that one owner of a partition sees them all.
    """

    type: ClassVar[str] = "risk.keys.sighted.v1"
    topic: ClassVar[str] = "risk.sightings"
    slot_id: UUID
    slot: int
    platform_ids: list[str]
    account_ids: list[UUID | None]
    order_refs: list[str]
    # Milliseconds since 1970, UTC.
    at_ms: list[int]
    # Minor units of the currency that all are compared in; null where the day has no rate.
    values_minor: list[int | None]
    # Hashes of 32 bits, 0 where unknown: the device of an act, and whom a sighting was with.
    devices: list[int]
    acts: list[int]
    kinds: list[KeyKind]
    refs: list[str]
    # The key's number of 64 bits, with a sign.
    keys: list[int]
    partners: list[int]

    def key(self) -> UUID:
        """Return the slot."""
        return self.slot_id


EVENTS: tuple[type[Event], ...] = (
    AlertRaised,
    AlertWithdrawn,
    RuleSuspended,
    OperatorAssessed,
    InvestigationProposed,
    OperatorWarned,
    ChainExtended,
    DeclarationChannelled,
    KeysSighted,
)
