"""Texts that say nearly the same, by MinHash over their characters, so that Chinese needs no words."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
from rensa import RMinHash
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

# A Chinese character says about as much as two letters.
_WIDE_LENGTH, _LENGTH = 3, 5
# Shorter texts are alike by chance: 很好, "works fine".
_SHORTEST_WIDE, _SHORTEST = 8, 25
# 32 bands of 4 of the hashes find nine in ten pairs that share half of their n-grams, and every closer one.
_HASHES, _BANDS = 128, 32
# Of sketches that events carry; ten bands of three find seven in ten pairs that share half, nineteen in twenty of
# those that share two thirds.
_SKETCH_HASHES, _SKETCH_BANDS = 30, 10
_SAME = 0.5
_SEED = 1
# What is hashed at once, in characters: memory stays bounded.
_CHUNK = 4_000_000
_MIXER = np.uint64(0x9E3779B97F4A7C15)


def clusters(texts: pl.Series) -> pl.Series:
    """Return a number for each text that all its near copies share; none where it is missing or too short to tell.

    Two texts are near copies where they share half of their n-grams; case, spaces and punctuation do not count.
    """
    plain = texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "")
    own = plain.unique(maintain_order=True).drop_nulls()
    # Chinese takes three bytes a character in UTF-8; Latin, Greek and Cyrillic letters take one or two.
    is_wide = own.str.len_bytes() > 2 * own.str.len_chars()
    numbers = pl.DataFrame(schema={"text": pl.String, "number": pl.Int64})
    for kind, length, shortest in ((is_wide, _WIDE_LENGTH, _SHORTEST_WIDE), (~is_wide, _LENGTH, _SHORTEST)):
        judged = own.filter(kind & (own.str.len_chars() >= shortest))
        if len(judged):
            found = pl.DataFrame({"text": judged, "number": joined(_digests(judged, length), _BANDS) + numbers.height})
            numbers = pl.concat([numbers, found])
    of_all = plain.to_frame("text").join(numbers, on="text", how="left", maintain_order="left")
    return of_all["number"].alias(texts.name)


def sketch_clusters(sketches: pl.Series) -> pl.Series:
    """Return a number for each sketch (as `listings.review.recorded` has them) that all near copies share."""
    own = sketches.drop_nulls().unique(maintain_order=True)
    own = own.filter(own.bin.size() == 4 * _SKETCH_HASHES)
    if not len(own):
        return pl.Series(sketches.name, [None] * len(sketches), pl.Int64)
    digests = np.frombuffer(b"".join(own), dtype="<u4").reshape(len(own), _SKETCH_HASHES)
    numbers = pl.DataFrame({"sketch": own, "number": joined(digests, _SKETCH_BANDS)})
    return sketches.to_frame("sketch").join(numbers, on="sketch", how="left", maintain_order="left")["number"]


def _digests(texts: pl.Series, length: int) -> npt.NDArray[np.uint32]:
    """Return the MinHash of the n-grams of each text: (texts, _HASHES)."""
    chunk = (texts.str.len_chars().cum_sum() // _CHUNK).to_numpy()
    bounds = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(texts)]
    parts = []
    for start, end in pairwise(bounds):
        hashes, offsets = _grams(texts[start:end], length)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _HASHES, _SEED)
        parts.append(np.array(matrix.to_rows(), dtype=np.uint32))
    return np.vstack(parts)


def _grams(texts: pl.Series, length: int) -> tuple[Hashes, Ints]:
    """Return the hashes of the n-grams of all texts, one after the other, and where each text's begin and end."""
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    sizes = texts.str.len_chars().to_numpy().astype(np.int64)
    rolled = np.zeros(len(letters) - length + 1, dtype=np.uint64)
    for place in range(length):
        rolled *= _MIXER
        rolled += letters[place : place + len(rolled)]
    rolled ^= rolled >> np.uint64(32)
    # Those that run over the end of their text are of none.
    whole = np.ones(len(letters), dtype=bool)
    for place in range(1, length):
        whole[np.cumsum(sizes) - place] = False
    return rolled[whole[: len(rolled)]], np.concatenate([[0], np.cumsum(sizes - length + 1)])


def joined(digests: npt.NDArray[np.uint32], bands: int) -> Ints:
    """Return the number of each text's cluster by its MinHash: those that a chain of near copies joins."""
    count = len(digests)
    pairs = []
    for band in np.split(digests.astype(np.uint64), bands, axis=1):
        key = np.zeros(count, dtype=np.uint64)
        for part in band.T:
            key = (key ^ part) * _MIXER
            key ^= key >> np.uint64(32)
        # Every text of a bucket beside the first one there: never more pairs than texts, however large it is.
        bucket = pl.DataFrame({"key": key}).with_row_index("other").with_columns(first=pl.first("other").over("key"))
        pairs.append(bucket.filter(pl.col("first") != pl.col("other")).select("first", "other"))
    first, other = (column.to_numpy() for column in pl.concat(pairs).unique())
    is_same = (digests[first] == digests[other]).mean(axis=1) >= _SAME
    edges = coo_array((np.ones(is_same.sum()), (first[is_same], other[is_same])), shape=(count, count))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int64)
