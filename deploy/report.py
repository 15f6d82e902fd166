"""What a run did, counted by the services that own the figures: the content of `var/report.json`."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

import asyncpg
import httpx
import msgspec
from msgspec import Struct, field

from deploy.databases import plain
from deploy.departments import arrival
from deploy.layout import SERVICES
from deploy.reconciliation import reconcile
from deploy.stack import Stack
from shared.auth import Role
from simulator.totals import Totals


class Identity(Struct, kw_only=True):
    """What identity found of operators' files, and of badges on pages."""

    verified: int = 0
    rejected: int = 0
    unverified: int = 0
    lapsed: int = 0
    # Pairs of operators that are linked, and accounts that came back after a ban.
    links: int = 0
    returned: int = 0
    badges: int = 0
    badge_checks: dict[str, int] = {}
    reasons: dict[str, int] = {}
    # Pages that were looked at by what they came to, and accounts that do not display their licence.
    displays: dict[str, int] = {}
    # Orders of removal by what became of them, demands to know a seller, what departments asked for.
    removals: dict[str, int] = {}
    disclosures: dict[str, int] = {}
    shared: dict[str, int] = {}
    consent_violations: int = 0
    offers_refused: int = 0


class Matching(Struct, kw_only=True):
    """Transactions by class."""

    matched: int = 0
    amount_mismatch: int = 0
    payment_without_lines: int = 0
    time_order: int = 0
    awaiting_documents: int = 0


class Risk(Struct, kw_only=True):
    """What the risk service has done."""

    assessed: int = 0
    alerts: int = 0
    rings: int = 0
    # Messages that its look over the weeks has not seen.
    unpatrolled: int = 0


class Declarations(Struct, kw_only=True):
    """Customs declarations by channel, and what inspections of them found."""

    release: int = 0
    document_check: int = 0
    inspection: int = 0
    inspected: int = 0
    violations: int = 0


class Credit(Struct, kw_only=True):
    """What the credit service keeps."""

    profiles: int = 0
    facts: int = 0


class Notices(Struct, kw_only=True):
    """Notices to departments, as their receiver counts them."""

    due: int = 0
    delivered: int = 0
    pending: int = 0


class Reconciliation(Struct, kw_only=True):
    """Ids compared over every topic and consumer."""

    lost: int = 0
    doubled: int = 0


class Scheme(Struct, kw_only=True):
    """A planted scheme of a simulation: how many there were, and what of them the services found."""

    planted: int
    found: int
    recall: float | None
    precision: float | None


class Report(Struct, kw_only=True):
    """The whole report; its keys are fixed by the contract."""

    source: str
    seconds: float
    sent: dict[str, int]
    accepted: dict[str, int] = field(default_factory=dict)
    duplicate: int = 0
    rejected: int = 0
    identity: Identity = field(default_factory=Identity)
    matching: Matching = field(default_factory=Matching)
    risk: Risk = field(default_factory=Risk)
    declarations: Declarations = field(default_factory=Declarations)
    credit: Credit = field(default_factory=Credit)
    notices: Notices = field(default_factory=Notices)
    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    # Of a simulation only.
    schemes: dict[str, Scheme] = field(default_factory=dict)

    def reconciles(self) -> bool:
        """Tell whether nothing was lost, doubled, or is still on its way."""
        return self.reconciliation == Reconciliation() and self.notices.pending == 0


# Types with a key of their own in the report; everything else a platform sends is under "others".
_COUNTED = {
    "platform.operator.registered.v1",
    "platform.listing.published.v1",
    "platform.order.placed.v1",
    "platform.payment.made.v1",
    "platform.parcel.shipped.v1",
    "platform.parcel.delivered.v1",
    "platform.review.posted.v1",
}


@dataclass(frozen=True)
class Counts:
    """The summaries of all services, and what they have accepted by the kinds of the report."""

    of: dict[str, dict[str, Any]]  # each service's own summary, as its API gives it
    accepted: dict[str, int]
    duplicate: int
    rejected: int

    @classmethod
    async def ask(cls, stack: Stack) -> Self:
        """Ask every service for its summary."""
        headers = {"authorization": f"Bearer {stack.issuer.issue(Role.REGULATOR)}"}
        of = {}
        async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
            for name in filter(SERVICES.__contains__, stack.urls):
                of[name] = await _summary(client, f"{stack.ports.url(name)}/v1/summary")
        doors = [of["identity"], of["listings"]]
        return cls(
            of=of,
            accepted={
                **of["identity"]["accepted"],
                **of["listings"]["accepted"],
                "complaints": of["disputes"]["complaints"],
                "others": sum(n for door in doors for kind, n in door["by_type"].items() if kind not in _COUNTED),
            },
            duplicate=sum(door["duplicate"] for door in doors),
            rejected=sum(door["rejected"] for door in doors),
        )


async def _summary(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Return a service's summary; the first request after its database was killed may meet a connection of before."""
    response = await client.get(url)
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        await asyncio.sleep(float(response.headers.get("retry-after", 1)))
        response = await client.get(url)
    found: dict[str, Any] = response.raise_for_status().json()
    return found


async def collect(stack: Stack, *, source: str, seconds: float, totals: Totals, before: Counts) -> Report:
    """Ask every service what it has; called again and again until two answers are the same.

    `before` is what the services had accepted when the run began: a run on kept data reports its own.
    """
    now = await Counts.ask(stack)
    rows = await reconcile(stack.urls)
    arrived = await arrival(stack.ports, await _delivered(stack))
    accepted = {name: now.accepted.get(name, 0) - before.accepted.get(name, 0) for name in totals.sent}
    return Report(
        source=source,
        seconds=seconds,
        sent=dict(totals.sent),
        accepted=accepted,
        duplicate=now.duplicate - before.duplicate,
        rejected=now.rejected - before.rejected,
        identity=_identity(now.of["identity"]),
        matching=msgspec.convert(now.of["listings"]["matching"], Matching),
        risk=Risk(**{name: now.of["risk"][name] for name in Risk.__struct_fields__}),
        declarations=_declarations(now.of["risk"]["declarations"]),
        credit=Credit(profiles=now.of["credit"]["profiles"], facts=now.of["credit"]["facts"]),
        notices=Notices(
            due=now.of["gateway"]["due"],
            delivered=arrived.received,
            pending=now.of["gateway"]["pending"],
        ),
        reconciliation=Reconciliation(
            lost=sum(row.lost for row in rows) + arrived.lost,
            doubled=sum(row.doubled for row in rows) + arrived.doubled,
        ),
    )


# Of identity's summary, as they are.
_OF_IDENTITY = (
    *("links", "returned", "badges", "badge_checks", "reasons", "displays", "removals", "disclosures", "shared"),
    *("consent_violations", "offers_refused"),
)


def _identity(counted: dict[str, Any]) -> Identity:
    return Identity(
        **counted["verdicts"],
        lapsed=counted["states"].get("lapsed", 0),
        **{name: counted[name] for name in _OF_IDENTITY},
    )


def _declarations(counted: dict[str, Any]) -> Declarations:
    return Declarations(**counted["by_channel"], inspected=counted["inspected"], violations=counted["violations"])


async def _delivered(stack: Stack) -> list[str]:
    connection = await asyncpg.connect(plain(stack.urls["gateway"].app))
    try:
        rows = await connection.fetch("SELECT id FROM deliveries WHERE state = 'delivered'")
    finally:
        await connection.close()
    return [str(row["id"]) for row in rows]
