"""Settings of the gateway."""

from pathlib import Path

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `GATEWAY_*` and the variables all services share.

    `allowed_hosts` are the `host:port` pairs, separated by commas, that may be dialled although their address is
    not a public one; `master_key` is a file with the key that wraps private keys, made when it is missing.
    """

    service: str = "gateway"
    port: int = 8108
    allowed_hosts: str = "127.0.0.1:8109"
    master_key: Path | None = None
    concurrent_sends: int = 16
    send_timeout_seconds: float = 10.0
