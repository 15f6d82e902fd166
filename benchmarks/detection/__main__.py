"""`make detect`: the detectors on real data beside their peers, into docs/detection.md and var/detect.json."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.detection import accounts, cards, customs, orders, raters, reviews
from benchmarks.results import document, merged, write_between
from deploy.layout import ROOT

_TRACKS = {
    customs.measure: "customs",
    raters.measure: "detection",
    accounts.measure: "detection",
    cards.measure: "detection",
    reviews.measure: "detection",
    orders.measure: "",
}

_console = Console()


def main(data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="directory of the data")]) -> None:
    """Measure every track whose data is there, and write both documents."""
    results = []
    for measure, folder in _TRACKS.items():
        with _console.status(measure.__module__):
            results += measure(data / folder)
    for result in results:
        result.command = "make detect"
    kept = merged(results, Path("var") / "detect.json")
    write_between(ROOT / "docs" / "detection.md", document(kept))
    for result in results:
        _console.print(f"{result.name} = {result.why if result.value is None else f'{result.value:.4f}'}")


if __name__ == "__main__":
    typer.run(main)
