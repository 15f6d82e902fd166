"""Alerts with verdicts of months, and what the patrol's process makes of them."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from services.risk import chance_training
from services.risk.chances import NUMBERS
from services.risk.chancing import Chancer, go_on
from services.risk.models import Model
from shared.errors import Unavailable
from shared.identifiers import account_id, derived_id
from tests.services.doors import Service

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = account_id("north", "shop")
RULES = ("brushing_repeats", "order_surge")


def alert(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    """Return an alert of one shop, as a row."""
    return {
        "id": derived_id("alert", number),
        "platform_id": "north",
        "account_id": SHOP,
        "rule": "brushing_repeats",
        "severity": "high",
        "score": 40.0,
        "value": 12.0,
        "evidence": ["order:a"],
        "at": at,
        "verdict": None,
        "judged_at": None,
        **fields,
    }


_FEATURES = {"brushing_repeats": "repeat_improbability", "order_surge": "orders_hour"}


async def raised(service: Service, rows: Sequence[dict[str, Any]]) -> None:
    """Store alerts that were raised, and judged, at the times they name."""
    texts = [
        {
            **{name: str(row[name]) for name in ("id", "account_id", "at")},
            **{name: row[name] for name in ("platform_id", "rule", "severity", "score", "evidence", "verdict")},
            "judged_at": str(row["judged_at"]) if row["judged_at"] else None,
            "contributions": [{"feature": _FEATURES[row["rule"]], "value": row["value"], "points": row["score"]}],
        }
        for row in rows
    ]
    await service.rows(
        "INSERT INTO alerts (id, platform_id, account_id, rule, rule_version, severity, score, reason, contributions,"
        " evidence, window_start, raised_at, verdict, judged_at, judged_by, state)"
        " SELECT id, platform_id, account_id, rule, 1, severity, score, 'r', contributions, evidence, at, at, verdict,"
        " judged_at, 'anna', CASE WHEN verdict = 'false_alarm' THEN 'dismissed' ELSE 'open' END"
        " FROM jsonb_to_recordset($1::jsonb) AS x (id uuid, platform_id text, account_id uuid, rule text,"
        " severity text, score float8, contributions jsonb, evidence text[], at timestamptz, verdict text,"
        " judged_at timestamptz)",
        json.dumps(texts),
    )


def history(count: int, *, seed: int = 1, noise: bool = False) -> list[dict[str, Any]]:
    """Return judged alerts of which most that lie far over their bound are right, whichever rule raised them."""
    random = Random(seed)
    rows = []
    for number in range(count):
        at = FIRST + timedelta(hours=6 * number)
        over = random.uniform(0, 2)
        rule = RULES[number % 2]
        bound = {"brushing_repeats": 6, "order_surge": 150}[rule]
        right = random.random() < (0.5 if noise else 0.9 if over > 1 else 0.1)
        rows.append(
            alert(
                number,
                at,
                rule=rule,
                value=bound * math.exp(over),
                account_id=derived_id("shop", number),
                verdict="confirmed" if right else "false_alarm",
                judged_at=at + timedelta(days=1),
            )
        )
    return rows


def waiting(count: int, start: int = 10_000) -> list[dict[str, Any]]:
    """Return alerts that nobody has judged, each farther over its bound than the one before."""
    return [
        alert(start + n, NOW - timedelta(hours=1), value=6 * math.exp(2 * n / count), account_id=derived_id("new", n))
        for n in range(count)
    ]


async def score(service: Service, chancer: Chancer | None = None) -> Chancer:
    """Let the patrol's process describe and score what there is."""
    chancer = chancer or Chancer()
    while await go_on(service.sessions, chancer):
        pass
    return chancer


async def learn(service: Service, *, now: datetime = NOW) -> Model:
    try:
        return await chance_training.challenge(service.sessions, now=now)
    except Unavailable as error:
        pytest.skip(error.detail)


async def known(service: Service, number: int) -> dict[str, float]:
    (row,) = await service.rows("SELECT known FROM alerts WHERE id = $1", derived_id("alert", number))
    return dict(zip(NUMBERS, row["known"], strict=True))


async def told(service: Service, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await service.get(f"/v1/alerts?limit=200{query}")).json()["items"]
    return items
