"""Who is calling, where the issuer's keys are not at hand."""

from pathlib import Path

import pytest_asyncio

from deploy.tokens import ISSUER, Issuer
from shared.auth import Role, TokenVerifier
from tests.services.doors import OpenService, Service


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


class TestKeys:
    async def test_that_cannot_be_read_are_the_worlds_fault(self, risk: Service, tmp_path: Path) -> None:
        risk.app.state.verifier = TokenVerifier(ISSUER, str(tmp_path / "missing.json"))

        answer = await risk.client.get("/v1/alerts", headers=risk.bearer(Role.REGULATOR))

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")

    async def test_stay_when_they_cannot_be_read_again(self, risk: Service, tmp_path: Path) -> None:
        issuer, stranger = Issuer(tmp_path / "own"), Issuer(tmp_path / "strange")
        verifier = risk.app.state.verifier = TokenVerifier(ISSUER, str(issuer.jwks))
        known, forged = issuer.issue(Role.REGULATOR), stranger.issue(Role.REGULATOR)
        verifier.verify(known)
        issuer.jwks.rename(tmp_path / "gone.json")
        verifier._read_at -= 60

        refused = await risk.client.get("/v1/alerts", headers={"authorization": f"Bearer {forged}"})
        later = await risk.client.get("/v1/rules", headers={"authorization": f"Bearer {issuer.issue(Role.REGULATOR)}"})

        assert (refused.status_code, later.status_code) == (503, 200)
