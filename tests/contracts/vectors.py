"""Public test vectors, read from where the user keeps them; without them their tests skip."""

import base64
import gzip
import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.layout import ROOT

DIRECTORY = Path(os.environ.get("CROSSWATCH_DATA", ROOT.parent / "shared" / "data"))


class JsonInput(NamedTuple):
    """One input of the JSON parsing suite: accept, reject or either."""

    name: str
    expect: str
    content: bytes


def vector_file(name: str) -> Path:
    """Return the path of a vector file, or skip the test that asks for it."""
    path = DIRECTORY / "vectors" / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set CROSSWATCH_DATA to the directory that holds vectors/")
    return path


def json_inputs() -> list[JsonInput]:
    """Return the inputs of JSONTestSuite."""
    with gzip.open(vector_file("json_parsing.jsonl.gz"), "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [JsonInput(row["name"], row["expect"], base64.b64decode(row["bytes_b64"])) for row in rows]


def naughty_strings() -> list[str]:
    """Return the big list of naughty strings."""
    strings: list[str] = json.loads(vector_file("naughty_strings.json").read_text(encoding="utf-8"))
    return strings
