"""The local issuer signs what a verifier with its JWKS accepts, and nothing else survives."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from deploy.tokens import ALGORITHM, ISSUER, Issuer
from shared.auth import AUDIENCE, Role, TokenVerifier


def decode(token: str, issuer: Issuer) -> jwt.Token:
    keys = KeySet.import_key_set(json.loads(issuer.jwks.read_text()))
    return jwt.decode(token, keys, algorithms=[ALGORITHM])


class TestIssue:
    def test_writes_the_claims_of_an_access_token(self, issuer: Issuer) -> None:
        token = decode(issuer.issue(Role.PLATFORM, platform_id="olist"), issuer)

        assert token.header["typ"] == "at+jwt"
        assert token.header["kid"] == issuer.key_ids()[-1]
        claims = token.claims
        assert (claims["iss"], claims["aud"], claims["roles"]) == (ISSUER, AUDIENCE, ["platform"])
        assert claims["platform_id"] == claims["sub"] == claims["client_id"] == "olist"
        assert claims["exp"] - claims["iat"] == 12 * 3600
        assert claims["jti"]

    @pytest.mark.parametrize("role", list(Role))
    def test_is_accepted_by_the_services(self, issuer: Issuer, role: Role) -> None:
        platform = "olist" if role is Role.PLATFORM else None

        caller = TokenVerifier(ISSUER, str(issuer.jwks)).verify(issuer.issue(role, platform_id=platform))

        assert (caller.role, caller.platform_id) == (role, platform)

    def test_leaves_the_platform_out_for_who_has_none(self, issuer: Issuer) -> None:
        claims = decode(issuer.issue(Role.CONSUMER, subject="buyer"), issuer).claims

        assert "platform_id" not in claims
        assert claims["sub"] == "buyer"

    def test_can_issue_one_that_has_expired(self, issuer: Issuer) -> None:
        claims = decode(issuer.issue(Role.TAX, lifetime=timedelta(seconds=-1)), issuer).claims

        assert claims["exp"] <= datetime.now(UTC).timestamp()


class TestKeys:
    def test_are_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        Issuer(tmp_path)

        assert stat.S_IMODE((tmp_path / "issuer.json").stat().st_mode) == 0o600
        assert '"d"' not in (tmp_path / "jwks.json").read_text()

    def test_stay_the_same_when_the_stack_starts_again(self, tmp_path: Path) -> None:
        assert Issuer(tmp_path).key_ids() == Issuer(tmp_path).key_ids()

    def test_verify_older_tokens_after_a_rotation_until_dropped(self, tmp_path: Path) -> None:
        issuer = Issuer(tmp_path)
        older = issuer.issue(Role.CUSTOMS)
        first = issuer.key_ids()[0]

        second = issuer.rotate()

        assert decode(older, issuer).claims["roles"] == ["customs"]
        assert decode(issuer.issue(Role.CUSTOMS), issuer).header["kid"] == second
        issuer.drop(first)
        with pytest.raises(InvalidKeyIdError):
            decode(older, issuer)

    def test_refuse_to_drop_the_one_that_signs(self, tmp_path: Path) -> None:
        issuer = Issuer(tmp_path)

        with pytest.raises(ValueError, match="rotate first"):
            issuer.drop(issuer.key_ids()[0])
