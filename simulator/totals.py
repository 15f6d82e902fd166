"""What was sent and how it was answered."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.cloudevents import OTHERS, Outgoing

MOST_EXAMPLES = 20


def _no_counts() -> dict[str, int]:
    kinds = (
        "operators",
        "listings",
        "orders",
        "order_lines",
        "payments",
        "shipments",
        "deliveries",
        "reviews",
    )
    return dict.fromkeys((*kinds, "complaints", OTHERS), 0)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """One refused item, as the service explained it."""

    service: str
    platform_id: str
    id: str
    code: str
    detail: str


@dataclass(kw_only=True)
class Totals:
    """Counts by the final answer to each batch, events first.

    A retried batch whose first answer was lost comes back as duplicates that are in truth this run's
    own: those are in `duplicate` and counted again in `duplicate_after_lost_answer`.
    """

    sent: dict[str, int] = field(default_factory=_no_counts)
    events: int = 0
    accepted: int = 0
    duplicate: int = 0
    duplicate_after_lost_answer: int = 0
    rejected: int = 0
    unaccounted: int = 0
    complaints_filed: int = 0
    complaints_repeated: int = 0
    complaints_resolved: int = 0
    batches: int = 0
    retries: int = 0
    latencies: list[float] = field(default_factory=list)
    examples: list[Rejection] = field(default_factory=list)

    def count_sent(self, events: Iterable[Outgoing]) -> None:
        """Count events under their keys of the report."""
        for event in events:
            self.events += 1
            self.sent[event.kind] += 1
            self.sent["order_lines"] += event.order_lines

    def reject(self, rejections: Iterable[Rejection]) -> None:
        """Count refused items and keep the first of them as examples."""
        for rejection in rejections:
            self.rejected += 1
            if len(self.examples) < MOST_EXAMPLES:
                self.examples.append(rejection)

    def latency(self, percentile: float) -> float:
        """Return the seconds within which this share (0 to 100) of the batches was answered."""
        ordered = sorted(self.latencies)
        if not ordered:
            return 0.0
        return ordered[min(int(len(ordered) * percentile / 100), len(ordered) - 1)]
