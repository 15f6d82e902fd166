"""Records of platforms' topics that were refused: they may hold personal data, so they are kept sealed.

Nobody knows whose data it is, since nobody could read it: a key of each platform seals what it sent in vain.
"""

from typing import NamedTuple

from services.identity import sealing
from services.identity.vault import Vault
from shared.fetching import Record
from shared.identifiers import derived_id

# Of the headers those that say what a record is; others may be anything.
_KEPT = frozenset({"content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_dataschema"})


class KeptRecord(NamedTuple):
    """A record as it is kept."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class RefusedRecords:
    """Seals records with keys of the platforms that sent them, and opens them to be taken again."""

    def __init__(self, vault: Vault) -> None:
        self._keys = vault.keys

    async def sealed_record(self, platform_id: str, record: Record) -> Record:
        """Return a record whose value nobody can read, without its key and what its headers say besides."""
        subject = derived_id("refused-records", platform_id)
        own = (await self._keys.ensured({subject}))[subject]
        headers = tuple((name, content) for name, content in record.headers if name in _KEPT)
        value = sealing.sealed_bytes(subject, own, record.value or b"")
        return KeptRecord(record.offset, record.timestamp, None, value, headers)

    async def opened_record(self, platform_id: str, record: Record) -> Record:
        """Return a record as it came; one that is not sealed as it is. Raises Unopenable."""
        generation = sealing.generation_of_bytes(record.value or b"")
        if generation is None:
            return record
        subject = derived_id("refused-records", platform_id)
        key = (await self._keys.held({subject})).get(subject, {}).get(generation)
        if key is None:
            raise sealing.Unopenable(f"the key {generation} of what {platform_id} sent is gone")
        value = sealing.opened_bytes(subject, key, record.value or b"")
        return KeptRecord(record.offset, record.timestamp, record.key, value, tuple(record.headers))
