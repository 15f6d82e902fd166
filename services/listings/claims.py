"""What an offer claims that law forbids to claim: phrases of a dated lexicon, where they stand, and in which form."""

import csv
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ahocorasick_rs

from shared.events.listings import ClaimFound, ClaimPlace
from shared.received import Received

LEXICON = Path(__file__).with_name("claims.csv")
_FIELDS: tuple[Literal["title", "description"], ...] = ("title", "description")
_MOST_PLACES = 20
_SPACES = re.compile(r"\s+")
# Behind it lie the scripts that write no spaces between words.
_LAST_SPACED = "\u2e7f"


class Phrase(NamedTuple):
    """A phrase that makes a claim, in which law that is forbidden, and the days (UTC) it counts on."""

    code: str
    article: str
    language: str
    text: str
    valid_from: date
    valid_to: date | None

    def holds(self, day: date) -> bool:
        """Tell whether it counts on a day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class Lexicon(NamedTuple):
    """Phrases, and the automaton that finds all of them at once."""

    phrases: Sequence[Phrase]
    automaton: ahocorasick_rs.AhoCorasick


class Place(NamedTuple):
    """Where a phrase stands in a text, as characters of that text."""

    phrase: Phrase
    start: int
    end: int


@cache
def lexicon(path: Path = LEXICON) -> Lexicon:
    """Return the phrases of a file."""
    with path.open(newline="", encoding="utf-8") as file:
        phrases = [
            Phrase(
                row["code"],
                row["article"],
                row["language"],
                _normal(row["phrase"]),
                date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            )
            for row in csv.DictReader(file)
        ]
    return Lexicon(phrases, ahocorasick_rs.AhoCorasick([phrase.text for phrase in phrases]))


def screened(one: Received, version: dict[str, Any]) -> list[ClaimFound]:
    """Return what a version of a listing claims: an event for each code, with the places."""
    day = one.time.astimezone(UTC).date()
    found: dict[str, list[tuple[Phrase, ClaimPlace]]] = {}
    for field in _FIELDS:
        for phrase, start, end in places(version["content"].get(field) or "", day, lexicon()):
            place = ClaimPlace(field=field, start=start, end=end, phrase=phrase.text)
            found.setdefault(phrase.code, []).append((phrase, place))
    return [
        ClaimFound(
            occurred_at=one.time,
            listing_id=version["id"],
            account_id=version["account_id"],
            platform_id=version["platform_id"],
            listing_ref=version["listing_ref"],
            version=version["version"],
            code=code,
            articles=sorted({phrase.article for phrase, _ in where}),
            places=[place for _, place in where[:_MOST_PLACES]],
        )
        for code, where in sorted(found.items())
    ]


def places(text: str, day: date, words: Lexicon) -> list[Place]:
    """Return the phrases of a text that count on a day, in the order they stand in it.

    Compared are forms without difference of width or case, with one space for any number; phrases of languages with
    spaces stand there as whole words.
    """
    normal = _normal(text)
    if not words.automaton.find_matches_as_indexes(normal):
        return []
    # Where the form is the text itself, so are its places.
    normal, origin = (normal, range(len(text) + 1)) if normal == text else _traced(text)
    found = []
    for index, start, end in words.automaton.find_matches_as_indexes(normal, overlapping=True):
        phrase = words.phrases[index]
        if phrase.holds(day) and (phrase.language == "zh" or _is_whole(normal, start, end)):
            found.append(Place(phrase, origin[start], origin[end]))
    return sorted(found, key=lambda place: (place.start, place.end, place.phrase.code))


def _normal(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold()).replace("\u2019", "'")


def _traced(text: str) -> tuple[str, Sequence[int]]:
    """Return the form that texts are compared in, and of each of its characters the place it comes from."""
    parts: list[str] = []
    origin: list[int] = []
    at = 0
    while at < len(text):
        after = at + 1
        # What combines with a character is normalised with it.
        while after < len(text) and unicodedata.combining(text[after]):
            after += 1
        part = _normal(text[at:after])
        if not (part == " " and parts and parts[-1].endswith(" ")):
            parts.append(part)
            origin += [at] * len(part)
        at = after
    return "".join(parts), [*origin, len(text)]


def _is_whole(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_is_letter(before) and _is_letter(text[start])) and not (
        _is_letter(after) and _is_letter(text[end - 1])
    )


def _is_letter(character: str) -> bool:
    return character.isalnum() and character <= _LAST_SPACED
