"""The environment variables a process of the stack starts with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.databases import ServiceUrls
from deploy.layout import SERVICES, Ports
from deploy.tokens import ISSUER


@dataclass(frozen=True)
class Broker:
    """How clients speak to the broker. The embedded one has no idempotent producer and one replica."""

    bootstrap: str
    embedded: bool


def service_environment(
    urls: Mapping[str, ServiceUrls], ports: Ports, broker: Broker, *, jwks: Path, var_dir: Path
) -> dict[str, str]:
    """Return what every service may know; owners' URLs are not in it."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    own = {
        "KAFKA_BOOTSTRAP": broker.bootstrap,
        "KAFKA_IDEMPOTENT": "0" if broker.embedded else "1",
        "AUTH_ISSUER": ISSUER,
        "AUTH_JWKS": str(jwks),
        "LOG_LEVEL": inherited.get("LOG_LEVEL", "INFO"),
        "VAR_DIR": str(var_dir),
        "GATEWAY_ALLOWED_HOSTS": f"127.0.0.1:{ports.of('receiver')}",
        "IDENTITY_PUBLIC_URL": inherited.get("IDENTITY_PUBLIC_URL", ports.url("identity")),
        # Compiled detectors are kept between starts, and out of the source tree.
        "NUMBA_CACHE_DIR": inherited.get("NUMBA_CACHE_DIR", str(var_dir / "cache" / "numba")),
        "PYTHONUNBUFFERED": "1",
        # What a batch needed is kept for the next one: given back, it comes again page by page, cleared by the
        # kernel, which was 6 % of a loaded machine.
        **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30)),
        "MALLOC_TOP_PAD_": str(16 << 20),
        # Batches are small: handing them to a pool of threads costs more than it gains.
        "POLARS_MAX_THREADS": "1",
    }
    if broker.embedded:
        own["KAFKA_REPLICATION"] = "1"
        # The embedded broker lets a member in when the dead one before it has been silent for twice this, and
        # keeps a named one waiting for six seconds. Nobody else joins these groups, so a pause costs nobody
        # its place.
        own["KAFKA_SESSION_TIMEOUT_MS"] = "1000"
    else:
        # The one member of its group in this stack, so it can have a name and be let in again at once.
        own["KAFKA_MEMBER"] = "stack"
    for service, url in urls.items():
        own[f"{service.upper()}_DATABASE_URL"] = url.app
        if service in SERVICES:
            own[f"{service.upper()}_PORT"] = str(ports.of(service))
    return {**inherited, **own}


def preparation_environment(
    services: Mapping[str, str], urls: Mapping[str, ServiceUrls], admin_url: str, installation: str
) -> dict[str, str]:
    """Return what `deploy.prepare` needs on top: the administrator's and the owners' URLs."""
    owners = {f"{service.upper()}_OWNER_DATABASE_URL": url.owner for service, url in urls.items()}
    return {**services, **owners, "DATABASE_URL": admin_url, "CROSSWATCH_INSTALLATION": installation}
