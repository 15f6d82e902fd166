"""Personal data of registration files: sealed at the door, opened by who names a purpose.

What the door stores, the stream carries and the tables hold is sealed; see ADR 16.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from services.identity import personal, sealing
from services.identity.blind import BlindIndex, read_key
from services.identity.conditions import File
from services.identity.key_store import Held, KeyStore, master_keys
from services.identity.settings import Settings
from shared.database import make_engine
from shared.events.platform import OperatorChanged, OperatorRegistered
from shared.identifiers import account_id
from shared.ingest_store import Item
from shared.received import Received

_FILES: dict[str, Callable[[msgspec.Raw], File]] = {
    OperatorRegistered.type: msgspec.json.Decoder(OperatorRegistered).decode,
    OperatorChanged.type: msgspec.json.Decoder(OperatorChanged).decode,
}
# What is kept of an event beside its data; whatever else a platform adds to it may be personal and is left out.
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "sequence", "sequencetype")
# Of the blind index: what an event says as a whole.
_EVENT = -1
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="deterministic").encode


class _Split(NamedTuple):
    """An event whose personal data was taken out; `whole` is the file as it came."""

    subject: UUID
    attributes: dict[str, Any]
    whole: File
    file: File
    texts: dict[str, str]


class Vault:
    """Seals and opens personal data with the keys of its subjects: accounts."""

    def __init__(self, keys: KeyStore, blind: BlindIndex) -> None:
        self.keys = keys
        self.masters = keys.masters
        self.blind = blind

    async def kept_open(self, _: object) -> None:
        """Wait to be cancelled, and close."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.keys.close()

    async def seal(self, items: Sequence[Item]) -> list[Item]:
        """Return events as they may be stored. Equal ones are known by a keyed hash of what they say."""
        split = {item.index: _split(item) for item in items if item.type in _FILES}
        keys = await self.keys.ensured({one.subject for one in split.values() if one.texts})
        return [self._sealed(item, split[item.index], keys) if item.index in split else item for item in items]

    async def opened(self, received: Sequence[Received]) -> list[Received]:
        """Return events with what was sealed in them, as far as its keys live; who calls has said what for."""
        subjects = {_subject(one) for one in received if _tokens(one)}
        held = await self.keys.held(subjects)
        return [_put_back(one, held) for one in received]

    async def texts(self, subject: UUID, tokens: Mapping[str, str]) -> dict[str, str]:
        """Return the texts of a subject's tokens by field; nothing of those whose key was destroyed."""
        return _texts(subject, tokens, await self.keys.held({subject}))

    async def sealed_texts(self, subject: UUID, texts: Mapping[str, str]) -> dict[str, str]:
        """Return texts about a subject as they may be stored, by field."""
        keys = await self.keys.ensured({subject})
        return sealing.sealed(subject, keys[subject], texts)

    def _sealed(self, item: Item, one: _Split, keys: Mapping[UUID, sealing.SubjectKey]) -> Item:
        file = one.file
        if one.texts:
            tokens = sealing.sealed(one.subject, keys[one.subject], one.texts)
            file = msgspec.structs.replace(file, sealed=tokens)
        raw = _encode({**one.attributes, "data": file})
        # Sealed twice the same is not the same, so the hash is of what it said; keyed, so that nobody can try values.
        # What nobody reads does not count: it may hold what cannot be read, such as 1e400.
        said = self.blind.value(_EVENT, _canonical([one.attributes, one.whole]).decode())
        return msgspec.structs.replace(item, raw=raw, payload_hash=said)


def open_vault(settings: Settings) -> Vault:
    """Return the vault of this installation."""
    secrets = settings.var_dir / "secrets"
    masters = master_keys(settings.master_keys or secrets / "identity-master.keys")
    blind = BlindIndex(read_key(settings.blind_index_key or secrets / "identity-blind.key"))
    return Vault(KeyStore(make_engine(settings.keys_database_url, pool_size=2), masters), blind)


def _split(item: Item) -> _Split:
    parts = _parts(item.raw)
    whole = _FILES[item.type](parts["data"])
    attributes = {name: _any(parts[name]) for name in _ATTRIBUTES if name in parts}
    return _Split(item.key, attributes, whole, *personal.taken_out(whole))


def _tokens(one: Received) -> dict[str, str]:
    return one.event.sealed if isinstance(one.event, OperatorRegistered | OperatorChanged) else {}


def _subject(one: Received) -> UUID:
    return account_id(one.platform_id, one.event.operator_ref)


def _put_back(one: Received, held: Held) -> Received:
    tokens = _tokens(one)
    if not tokens:
        return one
    texts = _texts(_subject(one), tokens, held)
    return msgspec.structs.replace(one, event=personal.put_back(one.event, texts))


def _texts(subject: UUID, tokens: Mapping[str, str], held: Held) -> dict[str, str]:
    keys = held.get(subject, {})
    found: dict[str, str] = {}
    for generation, own in _by_generation(tokens.items()).items():
        if generation in keys:
            found |= sealing.opened(subject, keys[generation], own)
    return found


def _by_generation(tokens: Iterable[tuple[str, str]]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for field, token in tokens:
        found.setdefault(sealing.generation_of(token), {})[field] = token
    return found
