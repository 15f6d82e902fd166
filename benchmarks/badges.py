"""Badges looked at on one core: signature, dates and page, beside the signature alone."""

import time
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from benchmarks.results import Result
from services.identity import badge_tokens
from services.identity.badge_checks import check
from services.identity.badge_tokens import Badge, Entity
from services.identity.signed_texts import new_signing_key
from shared.identifiers import new_id

_BADGES = 2_000
_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def badges_per_s_core() -> Result:
    """Return how many badges a second are told to be valid on their pages."""
    key = new_signing_key()
    badges = [_badge(number) for number in range(_BADGES)]
    shown = [(badge_tokens.signed(badge, key), f"{badge.shops[0]}/items/7?from=ad") for badge in badges]
    older = [new_signing_key() for _ in range(2)]
    _look(shown[:100], [key, *older])
    began = time.process_time()
    valid = _look(shown, [key, *older])
    value = _BADGES / (time.process_time() - began)
    assert valid == _BADGES, "every badge holds on its own page"
    alone = _signatures_per_s([token.encode() for token, _ in shown])
    return Result(
        name="identity.badges_per_s_core",
        value=value,
        unit="badges/s",
        reference="cryptography's Ed25519 alone on the same texts",
        reference_value=alone,
        ratio=value / alone,
        command="make bench ONLY=identity.badges_per_s_core",
        notes=[
            f"{_BADGES:,} badges, three keys, each with the page it is shown on; without the look into the database"
        ],
    )


def _badge(number: int) -> Badge:
    return Badge(
        id=new_id(),
        operator_id=new_id(),
        account_id=new_id(),
        platform_id="north",
        entity=Entity(f"Trading house {number} Ltd", "CN", "uscc", f"9111{number:014d}", "company"),
        shops=(f"https://north.example/shops/{number}",),
        issued_at=_NOW,
        expires_at=_NOW + timedelta(days=365),
    )


def _look(shown: list[tuple[str, str]], keys: list[OKPKey]) -> int:
    found = [check(badge_tokens.read(token, keys), revoked_at=None, page=page, now=_NOW) for token, page in shown]
    return sum(one.status == "valid" for one in found)


def _signatures_per_s(texts: list[bytes]) -> float:
    private = Ed25519PrivateKey.generate()
    public, signatures = private.public_key(), [private.sign(text) for text in texts]
    began = time.process_time()
    for signature, text in zip(signatures, texts, strict=True):
        public.verify(signature, text)
    return len(texts) / (time.process_time() - began)
