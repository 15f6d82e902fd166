"""Settings of identity."""

from pathlib import Path

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `IDENTITY_*` and the variables all services share.

    `keys_database_url` is the database of subjects' keys, apart from the one that they open. `master_keys` is a file
    with the keys that wrap those, a line each and the current one first; `blind_index_key` one with the key of the
    blind index, without which nothing that is stored matches what comes. Both are made under `VAR_DIR` where none is
    named. `public_url` is where everybody reaches the pages that QR codes lead to.
    """

    service: str = "identity"
    port: int = 8101
    keys_database_url: str
    public_url: str = "http://127.0.0.1:8101"
    master_keys: Path | None = None
    blind_index_key: Path | None = None
