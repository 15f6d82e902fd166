"""Names as they are searched: their forms, the pieces they are found by, and how alike two are. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple
from zlib import crc32

from rapidfuzz import fuzz, process

from services.identity.letters import is_dense, shingles, tidy, words
from services.identity.names import company_name

# A part of a name that is the whole of what was asked for is nearly as good as the name itself.
_PART = 0.9
_MOST_PAIRS = 12


class Form(NamedTuple):
    """A name as it is compared: without legal form and place, and all of it without spaces and signs."""

    own: str
    plain: str


class Piece(NamedTuple):
    """A part of a name by its hash, the word it is of, and its place among the dense signs of that."""

    hash: int
    word: int
    place: int | None


class Places(NamedTuple):
    """Where to look for a name: pieces that are enough each, and pairs that are only together."""

    single: Sequence[int]
    pairs: Sequence[tuple[int, int]]


def form(name: str) -> Form:
    """Return a name as it is compared."""
    return Form(company_name(name), "".join(words(tidy(name))))


def pieces(own: str) -> list[Piece]:
    """Return what an own name is made of: pairs of dense signs and the first one, triples of the letters of words."""
    return list(_pieces(own))


def _pieces(own: str) -> Iterator[Piece]:
    for place, word in enumerate(own.split()):
        if is_dense(word):
            marked = f"^{word}"
            yield from (Piece(_hash(marked[at : at + 2]), place, at) for at in range(len(word)))
        else:
            yield from (Piece(_hash(shingle), place, None) for shingle in sorted(shingles([word])))


def platform_piece(platform_id: str) -> int:
    """Return the piece that all accounts of a platform have."""
    return _hash(f"\0{platform_id}")


# The piece that every account with a name has.
ANY = 0


def places(wanted: Sequence[Piece], counts: Mapping[int, int], *, most: int) -> Places:
    """Return by which pieces of a name to look for it, so that about `most` accounts are found.

    The rarest pieces come first, each by itself; of the common ones, pairs that do not lie in one another. Where all
    is common, the least common is looked for all the same.
    """
    known = sorted({one.hash: one for one in wanted if counts.get(one.hash)}.values(), key=lambda p: counts[p.hash])
    single: list[int] = []
    left = most
    while known and counts[known[0].hash] <= left:
        left -= counts[known[0].hash]
        single.append(known.pop(0).hash)
    everyone = max(1, counts.get(ANY, 1))
    weighed = sorted(
        (counts[a.hash] * counts[b.hash] // everyone, a.hash, b.hash)
        for a, b in combinations(known, 2)
        if not _overlap(a, b)
    )
    pairs: list[tuple[int, int]] = []
    for expected, a, b in weighed[:_MOST_PAIRS]:
        if expected > left and (single or pairs):
            break
        left -= expected
        pairs.append((a, b))
    if known and not (single or pairs):
        single.append(known[0].hash)
    return Places(single, pairs)


def likeness(asked: Form, forms: Sequence[Form]) -> list[float]:
    """Return how alike each name is to the one asked for, from 0 to 1: whichever of its forms is more."""
    owns, plains = [one.own for one in forms], [one.plain for one in forms]
    whole = process.cdist([asked.own], owns, scorer=fuzz.ratio)[0]
    parts = process.cdist([asked.own], owns, scorer=fuzz.partial_ratio)[0] * _PART
    full = process.cdist([asked.plain], plains, scorer=fuzz.ratio)[0]
    # Among names of one likeness those come first that agree in the rest too, by less than a likeness can differ.
    best = [max(*scores) for scores in zip(whole, parts, full, strict=True)]
    return [
        round((top + (own + all_of_it) / 2_000) / 100.1, 6)
        for top, own, all_of_it in zip(best, whole, full, strict=True)
    ]


def _overlap(a: Piece, b: Piece) -> bool:
    if a.word != b.word:
        return False
    return a.place is None or b.place is None or abs(a.place - b.place) <= 1


def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass")) - (1 << 31)
