"""Accounts of AMLSim by all their transfers, without labels."""

import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import FIGURES, absent, scores_of, track
from benchmarks.detection.peers import Peers, unsupervised
from benchmarks.results import Result, missing
from services.risk import accounts

_EARLIER = {"MIDAS": {"auc": 0.826, "ap": 0.627}}
_SIGNALS = ("unusual", "repeated", "transfers")


def measure(directory: Path) -> list[Result]:
    """Score every account; one without a transfer is in no file of transfers and the least suspicious."""
    paths = [directory / f"amlsim20k_{name}.csv.gz" for name in ("transactions", "nodes")]
    if not all(path.exists() for path in paths):
        return [missing(f"amlsim.{figure}", figure, absent(directory)) for figure in FIGURES]
    transfers = accounts.read(pl.read_csv(paths[0], infer_schema=False), {})[0]
    nodes = pl.read_csv(paths[1], infer_schema=False)
    started = time.perf_counter()
    ranked = accounts.rank(transfers)
    seconds = time.perf_counter() - started
    notes = [f"{transfers.height:,} transfers of {len(ranked):,} accounts scored in {seconds:.1f} s"]
    truths = nodes["is_fraud"].cast(pl.Float64).to_numpy()
    names = nodes["node"].to_list()
    return track(
        "amlsim", [scores_of(names, ranked)], truths, _peers(transfers, names), figures=tuple(FIGURES), notes=notes
    )


def _peers(transfers: pl.DataFrame, names: list[str]) -> Peers:
    described = accounts.describe(transfers)
    matrix = described.select(_SIGNALS).to_numpy()
    found = unsupervised(matrix, matrix, "the three signals of accounts", _EARLIER)
    place = {account: row for row, account in enumerate(described["account"])}
    rows = np.array([place.get(name, -1) for name in names])
    return found._replace(
        scores={
            peer: np.where(rows >= 0, scores[np.maximum(rows, 0)], scores.min())
            for peer, scores in found.scores.items()
        }
    )
