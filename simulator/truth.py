"""Ground truth of the planted schemes: written beside the stream, never sent."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

Scheme = Literal[
    "brushing_ring",
    "bought_reviews",
    "unlicensed_seller",
    "amount_mismatch",
    "missing_waybill",
    "time_order",
    "banned_returns",
    "missing_licence_display",
    "undervalued_declaration",
    "uncertified_channel",
    "false_propaganda",
]
Strength = Literal["strong", "weak"]


class Planted(Struct, frozen=True, kw_only=True):
    """One planted scheme and everything it touched; a weak one hides better.

    `sought_refs` are the operators among them that are to be found, where the platform knows of the others itself.
    """

    scheme: Scheme
    platform_id: str
    operator_refs: list[str]
    sought_refs: list[str] = []
    order_refs: list[str] = []
    review_refs: list[str] = []
    strength: Strength
    note: str


def write_truth(path: Path, schemes: Iterable[Planted]) -> None:
    """Write the schemes as a JSON list."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(schemes)), indent=1))
