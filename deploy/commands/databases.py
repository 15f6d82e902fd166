"""Reading the databases of a stack that runs, or has run, on a data directory."""

from collections.abc import Mapping
from pathlib import Path

from deploy.databases import Passwords, ServiceUrls, service_urls
from deploy.layout import DATABASES, Ports
from deploy.preflight import StackError


def urls_of(var: Path, ports: Ports, database_url: str | None) -> Mapping[str, ServiceUrls]:
    """Return how to reach each service's database. Raises StackError where no stack ever ran."""
    known = var / "keys" / "databases.json"
    if not known.exists():
        raise StackError(f"there is no {known}: no stack has run on {var}, or its data is elsewhere (--var)")
    passwords = Passwords(known)
    # Only its host and port count: services have roles of their own.
    server = database_url or f"postgresql://127.0.0.1:{ports.of('postgres')}"
    return {service: service_urls(server, service, passwords) for service in DATABASES}
