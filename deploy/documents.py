"""Documents generated from the code: AsyncAPI, JSON Schemas, OpenAPI, tables of events and features."""

import argparse
import importlib
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from deploy.layout import ROOT, SERVICES, Ports
from services.risk.catalogue import STREAMS
from shared.events.catalogue import EVENT_TYPES, PUBLISHED, SENT
from shared.events.platform import PlatformEvent
from shared.settings import ServiceSettings
from shared.topics import SUBSCRIPTIONS

DOCS = ROOT / "docs"
JsonObject = dict[str, Any]  # a document's content is whatever JSON its standard asks for


def generate() -> dict[Path, str]:
    """Return every generated document by its path."""
    documents = {DOCS / "asyncapi.yaml": _yaml(asyncapi()), DOCS / "events.md": events_table()}
    documents[DOCS / "features.md"] = features_table()
    for name, event in sorted(EVENT_TYPES.items()):
        documents[DOCS / "schemas" / f"{name}.json"] = _json(json_schema(event))
    for service in SERVICES:
        documents[DOCS / "openapi" / f"{service}.json"] = _json(openapi(service))
    return documents


def json_schema(kind: type[Any]) -> JsonObject:
    """Return the JSON Schema of one type's data."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    name = schema["$ref"].rpartition("/")[2]
    own = components.pop(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:crosswatch:{kind.type}",
        **own,
        **({"$defs": components} if components else {}),
    }


def asyncapi() -> JsonObject:
    """Return the AsyncAPI 3 document of what platforms may produce and what services publish."""
    channels: JsonObject = {}
    operations: JsonObject = {}
    for topic, kinds in sorted(_by_topic().items()):
        name = topic.replace(".", "_")
        channels[name] = {
            "address": topic,
            "messages": {kind.type: {"$ref": f"#/components/messages/{kind.type}"} for kind in kinds},
        }
        operations[f"publish_{name}"] = _operation("send", name)
        for reader in _readers(topic):
            operations[f"{reader}_reads_{name}"] = _operation("receive", name)
    channels["platform_topics"] = {
        "address": "platform.{platformId}.{stream}",
        "description": "A platform's own topic; binary or structured CloudEvents, as for POST /v1/events.",
        "parameters": {
            "platformId": {"description": "The platform's id"},
            "stream": {"description": "Its choice"},
        },
        "messages": {sent.type: {"$ref": f"#/components/messages/{sent.type}"} for sent in SENT},
    }
    operations["take_platform_topics"] = _operation("receive", "platform_topics")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Crosswatch events", "version": "1", "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: _message(event) for name, event in EVENT_TYPES.items()},
            "messageTraits": {"cloudEvent": _CLOUD_EVENT},
        },
    }


_NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1/none"
_TEXT = {"type": "string"}
_CLOUD_EVENT: JsonObject = {
    "headers": {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            **dict.fromkeys(("ce_id", "ce_type", "ce_source", "ce_subject", "traceparent"), _TEXT),
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_sequence": {
                "type": "string",
                "description": "Place in the publisher's outbox; sorts as text",
            },
        },
    }
}


def _message(kind: type[Any]) -> JsonObject:
    return {
        "name": kind.type,
        "summary": _first_line(kind),
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": json_schema(kind),
        },
    }


def _operation(action: str, channel: str) -> JsonObject:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _by_topic() -> dict[str, list[type[Any]]]:
    topics: dict[str, list[type[Any]]] = defaultdict(list)
    for event in PUBLISHED:
        topics[event.topic].append(event)
    for sent in SENT:
        if sent.to in SERVICES:
            topics[f"{sent.to}.accepted"].append(sent)
    return topics


def _readers(topic: str) -> list[str]:
    return [reader for reader, topics in SUBSCRIPTIONS.items() if topic in topics]


def openapi(service: str) -> JsonObject:
    """Return a service's OpenAPI document."""
    create_app: Callable[[ServiceSettings], Any] = importlib.import_module(f"services.{service}.app").create_app
    settings: type[ServiceSettings] = importlib.import_module(f"services.{service}.settings").Settings
    stated = {"database_url": _NOWHERE, "keys_database_url": _NOWHERE, "port": Ports().of(service)}
    app = create_app(settings.model_validate(stated))
    document: JsonObject = app.openapi()
    return document


def events_table() -> str:
    """Return the table of events as Markdown."""
    lines = ["# Events", "", "Generated by `make docs` from `shared/events/`.", ""]
    lines += ["| type | topic | key | read by | when |", "|---|---|---|---|---|"]
    for kind in PUBLISHED:
        key = (kind.key.__doc__ or "").strip().removeprefix("Return ").rstrip(".")
        readers = ", ".join(_readers(kind.topic)) or "–"
        lines.append(f"| `{kind.type}` | `{kind.topic}` | {key} | {readers} | {_first_line(kind)} |")
    lines += ["", "## From platforms", "", "| type | to | when |", "|---|---|---|"]
    lines += [_platform_row(kind) for kind in SENT]
    return "\n".join(lines) + "\n"


def _platform_row(kind: type[PlatformEvent]) -> str:
    return f"| `{kind.type}` | {kind.to} | {_first_line(kind)} |"


def features_table() -> str:
    """Return what rules may name as Markdown."""
    lines = [
        "# Features that rules may name",
        "",
        "Generated by `make docs` from `services/risk/catalogue.py`.",
    ]
    for stream, features in STREAMS.items():
        lines += [
            "",
            f"## {stream}",
            "",
            "| name | type | unit | window | meaning |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{name}` | {feature.kind.__name__} | {feature.unit} | {feature.window} | {feature.meaning} |"
            for name, feature in features.items()
        ]
    return "\n".join(lines) + "\n"


def _first_line(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0].strip()


def _yaml(content: JsonObject) -> str:
    return yaml.dump(content, sort_keys=False, allow_unicode=True, width=110, Dumper=_NoAliases)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's signature
        """Write repeated parts out: readers of the document are people."""
        return True


def _json(content: JsonObject) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def drift(documents: dict[Path, str]) -> list[Path]:
    """Return the committed documents that are not what the code says."""
    generated = {path for folder in ("schemas", "openapi") for path in (DOCS / folder).glob("*.json")}
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text() != text]
    return sorted([*stale, *(generated - documents.keys())])


def main() -> None:
    """Write the documents, or check that they are what the code says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a document is stale")
    documents = generate()
    if parser.parse_args().check:
        stale = drift(documents)
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale; run `make docs`\n")
        sys.exit(1 if stale else 0)
    for path in drift(documents):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path in documents:
            path.write_text(documents[path])
        else:
            path.unlink()


if __name__ == "__main__":
    main()
