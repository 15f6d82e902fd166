"""`make detect`: the detectors on real data beside their peers, into docs/detection.md and var/detect.json."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from scipy import stats

from benchmarks.results import Result, document, merged, missing, write_between
from deploy.layout import ROOT
from services.risk import accounts, boosting, raters, spending
from services.risk.boosting import Floats, Ranked
from services.risk.declarations import Outcomes, read
from services.risk.triage import CATEGORIES, FEATURES, HISTORY, PARAMETERS, ROUNDS, Triage

_DELAY = timedelta(days=7)
_RUNS = 3
# 8 to 14 August 2018, from 1 April as day 0.
_CARD_DAYS = (129, 135)
_SHARES = {5: 0.05, 10: 0.10}
_PARTIES = ("Importer ID", "Seller ID", "Declarant ID", "Courier ID")
_NUMBERS = ("Tax Rate", "Net Mass", "Item Price")
_NOT_FEATURES = ("Declaration ID", "Date", "Fraud", "Critical Fraud")
_PEER = "LightGBM on all published columns, the parties too, with the same parameters"
_LATER = {
    "yelp": ("auc", "ap"),
    "yelp_labels": ("auc", "ap"),
    "orders": ("auc", "ap"),
    "rings": ("precision",),
}

_console = Console()


def main(data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="directory of the data")]) -> None:
    """Measure every track whose data is there, and write both documents."""
    results = [
        *_customs(data / "customs"),
        *_bitcoin(data / "detection"),
        *_amlsim(data / "detection"),
        *_card(data / "detection"),
    ]
    results += [
        missing(f"{track}.{figure}", figure, "there is no detector for it yet")
        for track, figures in _LATER.items()
        for figure in figures
    ]
    for result in results:
        result.command = "make detect"
    kept = merged(results, Path("var") / "detect.json")
    write_between(ROOT / "docs" / "detection.md", document(kept))
    for result in results:
        _console.print(f"{result.name} = {result.why if result.value is None else f'{result.value:.4f}'}")


def precision_at(share: float, scores: Floats, outcomes: Floats) -> float:
    """Return the share of violations among the highest-scored `share` of declarations."""
    first = np.argsort(-scores, kind="stable")[: max(1, round(len(scores) * share))]
    return float(outcomes[first].mean())


def _customs(directory: Path) -> list[Result]:
    paths = [directory / f"{name}.csv.gz" for name in ("train", "valid")]
    if not all(path.exists() for path in paths):
        return [missing(f"customs.precision_at_{share}", "share", _absent(directory)) for share in _SHARES]
    train, valid = (pl.read_csv(path, infer_schema=False) for path in paths)
    outcomes = _fraud(valid)
    with _console.status("customs: the detector"):
        ours = _scores(train, valid)
    with _console.status("customs: the peer"):
        peer = _peer(train, valid, parties=True)
    with _console.status("customs: ablations"):
        notes = _ablations(train, valid, ours)
    return [
        Result(
            name=f"customs.precision_at_{percent}",
            value=precision_at(share, ours, outcomes),
            unit="share",
            reference=_PEER,
            reference_value=precision_at(share, peer, outcomes),
            ratio=precision_at(share, ours, outcomes) / precision_at(share, peer, outcomes),
            notes=notes if percent == min(_SHARES) else [],
        )
        for percent, share in _SHARES.items()
    ]


def _bitcoin(directory: Path) -> list[Result]:
    """Score raters of Bitcoin-OTC by the ratings they give; those with a label count."""
    paths = [directory / f"bitcoin_otc_{name}.csv.gz" for name in ("ratings", "user_labels")]
    if not all(path.exists() for path in paths):
        return [missing(f"{track}.auc", "auc", _absent(directory)) for track in ("bitcoin", "bitcoin_labels")]
    ratings = raters.read(pl.read_csv(paths[0], infer_schema=False), {})[0]
    labels = {user: found == "1" for user, found in pl.read_csv(paths[1], infer_schema=False).iter_rows()}
    with _console.status("bitcoin"):
        unlabelled = raters.rank(ratings)
        learned = [raters.rank_with_labels(ratings, labels, seed=seed) for seed in range(_RUNS)]
    known = [user for user in labels if user in unlabelled]
    truths = np.array([labels[user] for user in known], dtype=float)
    alone = {
        feature: raters.describe(ratings).filter(pl.col("rater").is_in(known)).select("rater", feature)
        for feature in ("pace", "targets_mean", "mean_gap", "negative_share")
    }
    runs = [auc(_of(known, run), truths) for run in learned]
    return [
        Result(
            name="bitcoin.auc",
            value=auc(_of(known, unlabelled), truths),
            unit="auc",
            reference="MIDAS-R on the same file, measured earlier and not in this run",
            reference_value=0.732,
            notes=[
                f"{len(known)} of {len(labels)} labelled users rate others; {truths.mean():.0%} are fraudulent",
                *(f"{feature} alone: {_either_way(column, labels):.3f}" for feature, column in alone.items()),
            ],
        ),
        Result(
            name="bitcoin_labels.auc",
            value=float(np.mean(runs)),
            unit="auc",
            notes=[
                f"mean of {_RUNS} runs with other folds and seeds: {', '.join(f'{run:.3f}' for run in runs)}",
                f"{raters.FOLDS} folds, {raters.PARTITIONS} partitions; no model scores a rater whose label it saw",
            ],
        ),
    ]


def _amlsim(directory: Path) -> list[Result]:
    """Score accounts of AMLSim by all their transfers, without labels."""
    paths = [directory / f"amlsim20k_{name}.csv.gz" for name in ("transactions", "nodes")]
    if not all(path.exists() for path in paths):
        return [missing(f"amlsim.{figure}", figure, _absent(directory)) for figure in ("auc", "ap")]
    transfers = accounts.read(pl.read_csv(paths[0], infer_schema=False), {})[0]
    nodes = pl.read_csv(paths[1], infer_schema=False)
    started = time.perf_counter()
    ranked = accounts.rank(transfers)
    seconds = time.perf_counter() - started
    # An account without a transfer is in no file of transfers: it is the least suspicious.
    scores = np.array([ranked[node].score if node in ranked else 0.0 for node in nodes["node"]])
    truths = nodes["is_fraud"].cast(pl.Float64).to_numpy()
    notes = [f"{transfers.height:,} transfers of {len(ranked):,} accounts scored in {seconds:.1f} s"]
    return [
        Result(
            name=f"amlsim.{name}",
            value=figure(scores, truths),
            unit=name,
            reference="MIDAS on the same file, measured earlier and not in this run",
            reference_value=peer,
            notes=notes if name == "auc" else [],
        )
        for (name, figure), peer in zip(_FIGURES.items(), (0.826, 0.627), strict=True)
    ]


def _card(directory: Path) -> list[Result]:
    """Score the card transactions of 8 to 14 August by all before them, without labels and with labels a week late."""
    path = directory / "fdh_card_transactions.parquet"
    tracks = {"card": (0.669, 0.271, "the best of the unsupervised peers"), "card_labels": (0.872, 0.694, "XGBoost")}
    if not path.exists():
        return [
            missing(f"{track}.{figure}", figure, _absent(directory)) for track in tracks for figure in ("auc", "ap")
        ]
    table = pl.read_parquet(path).filter(pl.col("day") <= _CARD_DAYS[1]).sort("ts_seconds", "tx_id")
    since = table.filter(pl.col("day") < _CARD_DAYS[0]).height
    frame = spending.read(table.cast(pl.String), {})[0]
    truths = table["is_fraud"].cast(pl.Float64).to_numpy()[since:]
    outcomes: dict[str, Outcomes] = {
        "card": [None] * table.height,
        "card_labels": table["is_fraud"].cast(pl.Boolean).to_list(),
    }
    results = []
    for track, (*published, peer) in tracks.items():
        with _console.status(track):
            seeds = range(_RUNS if track == "card_labels" else 1)
            runs = [
                np.array([one.score for one in spending.rank(frame, outcomes[track], _DELAY, since=since, seed=seed)])
                for seed in seeds
            ]
        for (name, figure), reference in zip(_FIGURES.items(), published, strict=True):
            found = [figure(run, truths) for run in runs]
            results.append(
                Result(
                    name=f"{track}.{name}",
                    value=float(np.mean(found)),
                    unit=name,
                    reference=f"{peer} on the same days, published or measured earlier and not in this run",
                    reference_value=reference,
                    notes=[f"runs with other seeds: {', '.join(f'{one:.3f}' for one in found)}"]
                    if len(runs) > 1
                    else [],
                )
            )
    return results


def auc(scores: Floats, truths: Floats) -> float:
    """Return the area under the ROC curve: how often a true one is above a false one, ties counted as half."""
    above = stats.mannwhitneyu(scores[truths == 1], scores[truths == 0]).statistic
    return float(above / (np.sum(truths == 1) * np.sum(truths == 0)))


def average_precision(scores: Floats, truths: Floats) -> float:
    """Return the mean of the precision at each true one, from the highest score down."""
    ordered = truths[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ordered) / np.arange(1, len(ordered) + 1))[ordered == 1].mean())


_FIGURES = {"auc": auc, "ap": average_precision}


def _of(ids: Sequence[str], ranked: Mapping[str, Ranked]) -> Floats:
    return np.array([ranked[one].score for one in ids])


def _either_way(column: pl.DataFrame, labels: Mapping[str, bool]) -> float:
    """Return the AUC of one feature, whichever of its ends is the suspicious one."""
    known = column.drop_nulls()
    truths = np.array([labels[rater] for rater in known["rater"]], dtype=float)
    area = auc(known.to_series(1).to_numpy(), truths)
    return max(area, 1 - area)


def _absent(directory: Path) -> str:
    return f"no {directory.name} there: make detect DATA=<directory>"


def _ablations(train: pl.DataFrame, valid: pl.DataFrame, ours: Floats) -> list[str]:
    outcomes = _fraud(valid)
    goods = ["HS6 Code", "Net Mass", "Item Price"]
    seen = set(train.select(goods).iter_rows())
    unseen = np.array([row not in seen for row in valid.select(goods).iter_rows()])
    variants = {
        "without the history of like goods": _scores(train, valid, without=HISTORY),
        "without categories": _scores(train, valid, without=CATEGORIES),
        "the peer without the parties": _peer(train, valid, parties=False),
    }
    return [
        f"learned from {train.height:,} declarations, scored {valid.height:,} of the next quarter, outcomes unseen",
        f"{1 - unseen.mean():.0%} of these repeat the heading, mass and value of an earlier declaration to the digit",
        f"{_both(ours, outcomes)} with all features",
        *(f"{_both(scores, outcomes)} {what}" for what, scores in variants.items()),
        f"{_both(ours[unseen], outcomes[unseen])} among the {unseen.sum():,} whose goods are new",
    ]


def _both(scores: Floats, outcomes: Floats) -> str:
    at = [f"{precision_at(share, scores, outcomes):.3f} at {percent} %" for percent, share in _SHARES.items()]
    return ", ".join(at)


def _fraud(raw: pl.DataFrame) -> Floats:
    return raw["Fraud"].cast(pl.Float64).to_numpy()


def _scores(train: pl.DataFrame, valid: pl.DataFrame, *, without: Sequence[str] = ()) -> Floats:
    triage = Triage([name for name in FEATURES if name not in without])
    triage.train(read(train, {})[0], [bool(found) for found in _fraud(train)], _DELAY)
    ranked = triage.rank(read(valid, {})[0], [None] * valid.height, _DELAY)
    return np.array([one.score for one in ranked])


def _peer(train: pl.DataFrame, valid: pl.DataFrame, *, parties: bool) -> Floats:
    names = [name for name in train.columns if name not in _NOT_FEATURES and (parties or name not in _PARTIES)]
    both = pl.concat([train, valid]).select(names)
    matrix = both.select(
        pl.col(name).cast(pl.Float64) if name in _NUMBERS else pl.col(name).rank("dense").cast(pl.Float64)
        for name in names
    ).fill_null(float("nan"))
    rows = matrix.to_numpy()
    categories = [name for name in names if name not in _NUMBERS]
    model = boosting.train(
        rows[: train.height], _fraud(train), names, rounds=ROUNDS, categories=categories, parameters=PARAMETERS
    )
    return np.asarray(model.predict(rows[train.height :]))


if __name__ == "__main__":
    typer.run(main)
