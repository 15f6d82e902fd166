"""The shape of the repository, where no linter looks: sizes, names, doors and what each event may be."""

import ast
import importlib
import pkgutil
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import services
from deploy.layout import ROOT
from shared.events import base
from shared.events.catalogue import EVENT_TYPES, PUBLISHED, SENT, platform_types
from shared.topics import SUBSCRIPTIONS, all_topics
from tests.services.inbox import HANDLERS

LARGEST_FILE = 400
FOLDERS = ("services", "shared", "deploy", "simulator", "tests", "benchmarks")
SERVICES = sorted(module.name for module in pkgutil.iter_modules(services.__path__))
DOORS = (
    *("__init__.py", "__main__.py", "README.md", "settings.py", "app.py", "routes.py", "schemas.py"),
    *("models.py", "migrations/env.py", "migrations/script.py.mako"),
)
FORBIDDEN = {
    *("utils", "helpers", "common", "core", "base", "manager", "processor", "data", "info", "misc"),
    *("service", "exceptions", "constants", "enums"),
}


def sources() -> list[Path]:
    return sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS))


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_stay_small_enough_to_read(folder: str) -> None:
    large = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LARGEST_FILE
    }

    assert large == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    allowed = ROOT / "shared" / "events" / "base.py"
    modules = [path for path in sources() if not path.is_relative_to(ROOT / "tests")]

    folders = {part for path in sources() for part in path.relative_to(ROOT).parts[:-1]}
    assert [path for path in modules if path.stem in FORBIDDEN and path != allowed] == []
    assert folders & FORBIDDEN == set()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_doors(service: str) -> None:
    folder = ROOT / "services" / service

    assert [door for door in DOORS if not (folder / door).exists()] == []
    assert sorted((folder / "migrations" / "versions").glob("0001_*.py")) != []
    assert (folder / "worker.py").exists() == (folder / "handlers.py").exists()
    (docstring,) = ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)


@pytest.mark.parametrize("service", sorted(HANDLERS))
def test_every_handler_is_for_a_type_that_can_be_read(service: str) -> None:
    known = set(EVENT_TYPES.values())
    reads = set(SUBSCRIPTIONS[service])

    assert set(HANDLERS[service]) <= known
    for kind in HANDLERS[service]:
        topic = getattr(kind, "topic", f"{service}.accepted")
        assert topic in reads, f"{service} handles {kind.__name__} and never reads {topic}"


def test_every_service_that_reads_has_handlers() -> None:
    with_handlers = {s for s in SERVICES if (ROOT / "services" / s / "handlers.py").exists()}

    assert with_handlers == set(SUBSCRIPTIONS) == set(HANDLERS)


@pytest.mark.parametrize("service", sorted(SUBSCRIPTIONS))
def test_what_a_service_reads_is_handled_or_left_on_purpose(service: str) -> None:
    """Every topic that a service reads carries something that it handles."""
    for topic in SUBSCRIPTIONS[service]:
        published: list[type[Any]] = [kind for kind in PUBLISHED if kind.topic == topic]
        carried = set(published or platform_types(service))
        assert carried & set(HANDLERS[service])


def test_topics_and_types_are_named_after_the_service_that_publishes() -> None:
    for kind in PUBLISHED:
        publisher = kind.topic.split(".")[0]
        assert kind.type.split(".")[0] == publisher
        assert kind.type.endswith(".v1")
        assert publisher in SERVICES
    assert not [topic for topic in all_topics() if "_" in topic]


def test_every_event_says_when_it_happens_and_has_a_subject() -> None:
    for kind in PUBLISHED:
        assert kind.__doc__
        assert kind.key is not base.Event.key


def test_every_platform_event_has_one_taker() -> None:
    for kind in SENT:
        intake = importlib.import_module(f"services.{kind.to}.intake")
        assert kind.type in intake.INGEST.types


def test_domain_code_never_commits() -> None:
    doors = {"web.py", "database.py"}
    committing = [
        path
        for path in [*(ROOT / "services").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
        if "session.commit(" in path.read_text(encoding="utf-8") and path.name not in doors
    ]

    assert committing == []
