"""How many of a simulation's planted schemes the services found, by what their APIs answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import httpx
from msgspec import Struct

from deploy.stack import Stack
from shared.auth import Role
from shared.identifiers import account_id, transaction_id
from simulator.truth import Planted, Scheme

_ALERTS_A_PAGE = 200
# What a scheme is about, by its id.
Subjects: TypeAlias = set[str]


class Watch(NamedTuple):
    """What a scheme is found by: alerts about operators or about transactions, of some rules."""

    about: Literal["account_id", "transaction_id"]
    rules: frozenset[str]


WATCHES: Mapping[Scheme, Watch] = {
    "brushing_ring": Watch(
        "account_id", frozenset({"brushing_repeats", "brushing_hour", "brushing_devices", "brushing_ring"})
    ),
    "bought_reviews": Watch(
        "account_id",
        frozenset({"review_text_repeated", "five_star_burst", "review_companions", "review_crowd", "review_copies"}),
    ),
    "unlicensed_seller": Watch("account_id", frozenset({"unlicensed_operator", "false_registration"})),
    "amount_mismatch": Watch("transaction_id", frozenset({"amount_mismatch"})),
    "missing_waybill": Watch("transaction_id", frozenset({"parcel_missing"})),
    "time_order": Watch("transaction_id", frozenset({"time_order"})),
    "uncertified_channel": Watch(
        "transaction_id", frozenset({"uncertified_institution", "uncertified_channel", "unknown_institution"})
    ),
    "false_propaganda": Watch("account_id", frozenset({"false_propaganda", "cure_claimed"})),
    "undervalued_declaration": Watch("transaction_id", frozenset({"undervalued_declaration"})),
    "missing_licence_display": Watch("account_id", frozenset({"licence_not_displayed"})),
    "banned_returns": Watch("account_id", frozenset({"banned_returns"})),
}


class Found(Struct, kw_only=True):
    """Of one scheme: how many were planted and found, and how many alerts were about something planted.

    An alert about an operator or an order of another scheme is no false one: arranged orders have no parcel either.
    """

    planted: int
    found: int
    alerted: int
    true: int

    @property
    def recall(self) -> float | None:
        """Return the share of what was planted that was found."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Return the share of what was alerted that was planted."""
        return self.true / self.alerted if self.alerted else None


async def found_schemes(stack: Stack, truth: Sequence[Planted]) -> dict[str, Found]:
    """Compare the open alerts of a run with what was planted in it."""
    headers = {"authorization": f"Bearer {stack.issuer.issue(Role.REGULATOR)}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
        alerts = await _open_alerts(client, f"{stack.ports.url('risk')}/v1/alerts")
    return {scheme: compare(truth, alerts, scheme, watch) for scheme, watch in WATCHES.items()}


def compare(truth: Sequence[Planted], alerts: Sequence[Mapping[str, Any]], scheme: Scheme, watch: Watch) -> Found:
    """Count what of one scheme was planted and found."""
    planted = _subjects(truth, watch.about, scheme)
    anything = _subjects(truth, watch.about, None)
    alerted = {str(alert[watch.about]) for alert in alerts if alert["rule"] in watch.rules}
    return Found(
        planted=len(planted),
        found=len(planted & alerted),
        alerted=len(alerted),
        true=len(alerted & anything),
    )


def _subjects(truth: Sequence[Planted], about: str, scheme: Scheme | None) -> Subjects:
    """Return what of one scheme is to be found, or what any scheme touched."""
    of = [one for one in truth if scheme in (None, one.scheme)]
    if about == "account_id":
        refs = [(one, one.sought_refs if scheme and one.sought_refs else one.operator_refs) for one in of]
        return {str(account_id(one.platform_id, ref)) for one, found in refs for ref in found}
    return {str(transaction_id(one.platform_id, ref)) for one in of for ref in one.order_refs}


async def _open_alerts(client: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(url, params={"limit": _ALERTS_A_PAGE, **cursor})).raise_for_status().json()
        found += [alert for alert in page["items"] if alert["state"] == "open"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}
