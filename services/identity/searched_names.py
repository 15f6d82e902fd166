"""Names as they are searched: their forms, the pieces they are found by, and how alike two are. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from rapidfuzz import fuzz, process

from services.identity.letters import is_dense, tidy, words
from services.identity.names import company_name

# A part of a name that is the whole of what was asked for is nearly as good as the name itself.
_PART = 0.9
# Common pieces are looked for in pairs: the rarest few of them, each with a few of the others.
_ANCHORS, _PARTNERS = 3, 3
_FIRST_SIGNS = 4


class Form(NamedTuple):
    """A name as it is compared: without legal form and place, and all of it without spaces and signs."""

    own: str
    plain: str


class Piece(NamedTuple):
    """A part of a name by its hash, the word it is of, and which signs of that it covers."""

    hash: int
    word: int
    signs: range


class Places(NamedTuple):
    """Where to look for a name: pieces that are enough each, and pairs that are only together."""

    single: Sequence[int]
    pairs: Sequence[tuple[int, int]]


@lru_cache(maxsize=20_000)
def form(name: str) -> Form:
    """Return a name as it is compared."""
    return Form(company_name(name), "".join(words(tidy(name))))


def pieces(own: str) -> list[Piece]:
    """Return what an own name is made of: pairs of dense signs, and triples of the letters of other words.

    Of dense signs also the first one, and the first few by themselves: they find those who exchange two of them.
    """
    return [piece for place, word in enumerate(own.split()) for piece in _pieces(word, place)]


def _pieces(word: str, place: int) -> Iterator[Piece]:
    return (Piece(_hash(text), place, signs) for text, signs in zip(_texts(word), _signs(word), strict=True))


def _texts(word: str) -> list[str]:
    """Return what a word is made of, in the order of `_signs()`."""
    if is_dense(word):
        return [f"^{word[0]}", *word[:_FIRST_SIGNS], *[word[at : at + 2] for at in range(len(word) - 1)]]
    if word.isdecimal():
        return [word]
    whole = f" {word} "
    return [whole[at : at + 3] for at in range(len(whole) - 2)]


def _signs(word: str) -> Iterator[range]:
    """Yield which signs of a word each of its parts covers."""
    if is_dense(word):
        yield range(1)
        yield from (range(at, at + 1) for at in range(min(len(word), _FIRST_SIGNS)))
        yield from (range(at, at + 2) for at in range(len(word) - 1))
    elif word.isdecimal():
        yield range(len(word))
    else:
        yield from (range(at, at + 3) for at in range(len(word)))


@lru_cache(maxsize=20_000)
def hashes(own: str) -> frozenset[int]:
    """Return the hashes of the pieces of an own name."""
    return frozenset([_hash(text) for word in own.split() for text in _texts(word)])


def platform_piece(platform_id: str) -> int:
    """Return the piece that all accounts of a platform have."""
    return _hash(f"\0{platform_id}")


# The piece that every account with a name has.
ANY = 0


def places(wanted: Sequence[Piece], counts: Mapping[int, int], *, most: int) -> Places:
    """Return by which pieces of a name to look for it, so that about `most` accounts are found.

    The rarest pieces come first, each by itself; of the common ones, pairs that do not lie in one another. Where all
    is common and there is no pair, the least common is looked for all the same.
    """
    known = sorted({one.hash: one for one in wanted if counts.get(one.hash)}.values(), key=lambda p: counts[p.hash])
    single: list[int] = []
    left = most
    while known and counts[known[0].hash] <= left:
        left -= counts[known[0].hash]
        single.append(known.pop(0).hash)
    pairs = [
        pair for place, anchor in enumerate(known[:_ANCHORS]) for pair in _pairs(anchor, known[place + 1 :], counts)
    ]
    if known and not (single or pairs):
        single.append(known[0].hash)
    return Places(single, pairs)


def likeness(asked: Form, owns: Sequence[str], plains: Sequence[str]) -> "np.ndarray[Any, Any]":
    """Return how alike names are to the one asked for, from 0 to 1: whichever of its forms is more."""
    whole = process.cdist([asked.own], owns, scorer=fuzz.ratio)[0]
    parts = process.cdist([asked.own], owns, scorer=fuzz.partial_ratio)[0] * _PART
    full = process.cdist([asked.plain], plains, scorer=fuzz.ratio)[0]
    # Among names of one likeness those come first that agree in the rest too, by less than a likeness can differ.
    scores = np.maximum(np.maximum(whole, parts), full) + (whole + full) / 2_000
    found: np.ndarray[Any, Any] = np.round(scores.astype(float) / 100.1, 6)
    return found


def _pairs(anchor: Piece, others: Sequence[Piece], counts: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of a piece with the rarest that do not lie in it; of equally common ones, those of one word, one."""
    seen: set[int] = set()
    for other in others:
        if len(seen) < _PARTNERS and counts[other.hash] not in seen and not _overlap(anchor, other):
            seen.add(counts[other.hash])
            yield anchor.hash, other.hash


def _overlap(a: Piece, b: Piece) -> bool:
    return a.word == b.word and a.signs.start < b.signs.stop and b.signs.start < a.signs.stop


def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass")) - (1 << 31)
