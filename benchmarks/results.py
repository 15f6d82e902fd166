"""Results: `var/bench.json` as the contract wants it, and the same rows as a document."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

_ROW = re.compile(r"^\| `(?P<name>[^`]+)` \|.*$", re.MULTILINE)
_NOTES = re.compile(r"^## (?P<name>\S+)\n(?P<notes>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BEGIN, _END = "<!-- written by a run -->", "<!-- end -->"


class Result(Struct, kw_only=True, omit_defaults=True):
    """One figure beside its reference; a value of None says why."""

    name: str
    value: float | None
    unit: str
    reference: str | None = None
    reference_value: float | None = None
    ratio: float | None = None
    command: str = "make bench"
    why: str | None = None
    notes: list[str] = []


def missing(name: str, unit: str, why: str) -> Result:
    """Return an entry for what was not measured."""
    return Result(name=name, value=None, unit=unit, why=why)


def write_between(path: Path, text: str) -> None:
    """Put what a run wrote between the marks of a document; the rest of it is written by hand."""
    before, _, rest = path.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    path.write_text(f"{before}{_BEGIN}\n{text}{_END}{after}")


def between(path: Path) -> str:
    """Return what a run wrote between the marks of a document."""
    return path.read_text().partition(_BEGIN)[2].partition(_END)[0]


def merged(results: Sequence[Result], path: Path) -> list[Result]:
    """Write results beside those of earlier runs that were not measured again; return all of them."""
    before = msgspec.json.decode(path.read_bytes(), type=list[Result]) if path.exists() else []
    kept = {result.name: result for result in before} | {result.name: result for result in results}
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(list(kept.values()))))
    return list(kept.values())


def document(results: Sequence[Result], before: str = "") -> str:
    """Return the results as Markdown; what was not measured here stays as the document `before` has it."""
    rows = {found["name"]: found[0] for found in _ROW.finditer(before)}
    rows |= {result.name: _row(result) for result in results}
    notes = {found["name"]: found["notes"].strip() for found in _NOTES.finditer(before)}
    notes |= {result.name: "\n".join(f"- {note}" for note in result.notes) for result in results}
    lines = [
        "| name | value | unit | reference | its value | ratio | command |",
        "|---|---|---|---|---|---|---|",
        *rows.values(),
    ]
    for name in rows:
        if notes.get(name):
            lines += ["", f"## {name}", "", notes[name]]
    return "\n".join(lines) + "\n"


def _row(result: Result) -> str:
    value = f"not measured: {result.why}" if result.value is None else _figure(result.value)
    cells = [f"`{result.name}`", value, result.unit, result.reference or "–"]
    cells += [_figure(result.reference_value), _figure(result.ratio), f"`{result.command}`"]
    return "| " + " | ".join(cells) + " |"


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
