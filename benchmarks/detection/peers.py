"""Unsupervised detectors of others on the features that ours has; they are there after `make detect PEERS=1`."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from services.risk.boosting import Floats

NOT_INSTALLED = "pyod, pysad and river are not installed: make detect PEERS=1"
_SEED = 0
# The streaming ones go row by row in Python: they learn from so many, evenly taken.
_SAMPLE = 30_000


# Figures by their names, of what was published or measured earlier, by whose they are.
Earlier: TypeAlias = Mapping[str, Mapping[str, float]]
NOTHING_EARLIER: Earlier = MappingProxyType({})


class Peers(NamedTuple):
    """Scores by the peer's name, on which features, why there are none, and what is known of others."""

    scores: Mapping[str, Floats]
    of_what: str = ""
    why: str | None = None
    earlier: Earlier = NOTHING_EARLIER


def unsupervised(past: Floats, rows: Floats, of_what: str, earlier: Earlier) -> Peers:
    """Return what each peer that learned from `past`, without labels, thinks of rows: (rows, features) both."""
    try:
        models = _models()
    except ImportError:
        return Peers({}, why=NOT_INSTALLED, earlier=earlier)
    usual = np.nanmedian(past, axis=0)
    known_past, known = (np.where(np.isnan(matrix), usual, matrix) for matrix in (past, rows))
    scores = {name: _batch(make, known_past, known) for name, make in models.items()}
    sample = known_past[:: max(1, len(known_past) // _SAMPLE)]
    scores |= {"pysad LODA": _pysad(sample, known), "river HalfSpaceTrees": _river(sample, known)}
    return Peers(scores, of_what, earlier=earlier)


def _models() -> dict[str, Callable[[], Any]]:
    """Return makers of pyod's models; it and the others ship no types, and may not be there."""
    from pyod.models.copod import COPOD  # noqa: PLC0415 - not installed by default
    from pyod.models.ecod import ECOD  # noqa: PLC0415
    from pyod.models.hbos import HBOS  # noqa: PLC0415
    from pyod.models.iforest import IForest  # noqa: PLC0415

    return {
        "pyod COPOD": COPOD,
        "pyod ECOD": ECOD,
        "pyod HBOS": HBOS,
        "pyod IForest": lambda: IForest(random_state=_SEED),
    }


def _batch(make: Callable[[], Any], past: Floats, rows: Floats) -> Floats:
    model = make()
    model.fit(past)
    return np.asarray(model.decision_function(rows), dtype=np.float64)


def _pysad(past: Floats, rows: Floats) -> Floats:
    from pysad.models import LODA  # noqa: PLC0415

    np.random.seed(_SEED)  # its only source of chance
    model = LODA()
    for row in past:
        model.fit_partial(row)
    return np.array([float(model.score_partial(row)) for row in rows])


def _river(past: Floats, rows: Floats) -> Floats:
    from river.anomaly import HalfSpaceTrees  # noqa: PLC0415

    # It wants values from 0 to 1: the share of past ones that are lower.
    ordered = np.sort(past, axis=0)
    scaled_past, scaled = (
        np.column_stack([np.searchsorted(ordered[:, i], own[:, i]) / len(past) for i in range(past.shape[1])])
        for own in (past, rows)
    )
    model = HalfSpaceTrees(seed=_SEED)
    for row in scaled_past:
        model.learn_one(dict(enumerate(row.tolist())))
    return np.array([model.score_one(dict(enumerate(row.tolist()))) for row in scaled])
