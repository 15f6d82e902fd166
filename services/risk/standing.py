"""How an operator stands: points from its alerts, a class from A to D with reasons, and whether signals agree. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.events.risk import RiskClass

CLASSES: tuple[RiskClass, ...] = ("A", "B", "C", "D")
_MOST_REASONS = 5


class Signal(NamedTuple):
    """One alert that stands: its rule, the stream it is about, how severe, when, and whether it was confirmed."""

    rule: str
    stream: str
    severity: str
    at: datetime
    confirmed: bool


class Scale(NamedTuple):
    """What points are made of, and where classes begin; all of it policy."""

    points: Mapping[str, float]
    confirmed_times: float
    half_life_days: float
    # From so many points an operator is B, C and D.
    begins: tuple[float, float, float]
    # An investigation is proposed from so many points, by signals of so many different streams.
    investigated_points: float
    investigated_streams: int


class Reason(NamedTuple):
    """What one rule adds to an operator's points."""

    rule: str
    alerts: int
    points: float


class Standing(NamedTuple):
    """An operator's points, its class, what they come from, and whether an investigation is proposed."""

    points: float
    risk_class: RiskClass
    reasons: list[Reason]
    to_investigate: bool


def standing(signals: Sequence[Signal], scale: Scale, now: datetime) -> Standing:
    """Return where an operator stands: points fade by half in each half-life, and confirmed alerts weigh more."""
    points: dict[str, float] = {}
    alerts: dict[str, int] = {}
    for signal in signals:
        points[signal.rule] = points.get(signal.rule, 0.0) + _weight(signal, scale, now)
        alerts[signal.rule] = alerts.get(signal.rule, 0) + 1
    total = sum(points.values())
    ranked = sorted(points, key=lambda rule: (-points[rule], rule))
    streams = {signal.stream for signal in signals if signal.severity in ("high", "critical")}
    return Standing(
        round(total, 3),
        CLASSES[sum(total >= begin for begin in scale.begins)],
        [Reason(rule, alerts[rule], round(points[rule], 3)) for rule in ranked[:_MOST_REASONS]],
        to_investigate=total >= scale.investigated_points and len(streams) >= scale.investigated_streams,
    )


def _weight(signal: Signal, scale: Scale, now: datetime) -> float:
    days = max((now - signal.at).total_seconds() / 86_400, 0.0)
    times = scale.confirmed_times if signal.confirmed else 1.0
    return float(scale.points[signal.severity] * times * 0.5 ** (days / scale.half_life_days))


def probability(violated: int, forecasts: int, *, prior: float, prior_weight: float) -> float:
    """Return the chance of a violation from what earlier forecasts of a class came to, and a prior worth so many.

    The mean of a beta distribution after so many outcomes: calibrated by what happened, as soon as something has.
    """
    return (violated + prior * prior_weight) / (forecasts + prior_weight)
