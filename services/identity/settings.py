"""Settings of identity."""

from pathlib import Path

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `IDENTITY_*` and the variables all services share.

    `blind_index_key` is a file with the key of the blind index, made when it is missing. With another key nothing that
    is stored matches what comes.
    """

    service: str = "identity"
    port: int = 8101
    blind_index_key: Path | None = None
