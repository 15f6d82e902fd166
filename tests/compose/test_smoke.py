"""One flow through the containers of docker-compose.yml, where a Docker engine answers."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from testcontainers.compose import DockerCompose

from deploy.layout import ROOT, SERVICES, Ports
from tests.faults.waiting import eventually
from tests.services.listings.factories import order_placed

pytestmark = [pytest.mark.compose, pytest.mark.slow]

_READY_SECONDS = 300.0
_FLOW_SECONDS = 60.0


def engine_missing() -> str | None:
    """Return why there is no Docker engine to use; None where one answers."""
    program = shutil.which("docker")
    if program is None:
        return "there is no Docker here, so the containers were not tried"
    asked = subprocess.run([program, "version"], check=False, capture_output=True, text=True, timeout=60)
    if asked.returncode != 0:
        return f"no Docker engine answers, so the containers were not tried: {asked.stderr.strip()}"
    return None


@pytest.fixture(scope="module")
def compose(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[DockerCompose]:
    """Yield the running containers; their volumes go with them."""
    if (reason := engine_missing()) is not None:
        pytest.skip(reason)
    monkeypatch_module.setenv("CROSSWATCH_PASSWORD", secrets.token_hex(12))
    # Not `wait`: it takes the container that prepares everything, and ends, for one that failed.
    with DockerCompose(ROOT, build=True, wait=False) as running:
        yield running


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def token(compose: DockerCompose, *who: str) -> str:
    """Return a bearer token of the local issuer."""
    command = [*compose.docker_compose_command(), "run", "--rm", "prepare", "crosswatch", "token", *who]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def is_ready(client: httpx.AsyncClient) -> bool:
    """Tell whether every service says that it is ready."""
    try:
        answers = [await client.get(f"{Ports().url(service)}/readyz") for service in SERVICES]
    except httpx.TransportError:
        return False
    return all(answer.is_success for answer in answers)


class TestContainers:
    async def test_carry_an_order_to_its_assessment(self, compose: DockerCompose) -> None:
        order = order_placed(order_ref="smoke")
        ours = {"authorization": f"Bearer {token(compose, 'platform', '--platform', 'north')}"}
        theirs = {"authorization": f"Bearer {token(compose, 'regulator')}"}

        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            await eventually(lambda: is_ready(client), seconds=_READY_SECONDS)
            answer = await client.post(
                f"{Ports().url('listings')}/v1/events",
                content=json.dumps(order),
                headers={"content-type": "application/cloudevents+json", **ours},
            )

            async def is_assessed() -> bool:
                url = f"{Ports().url('risk')}/v1/assessments/north/smoke"
                return (await client.get(url, headers=theirs)).is_success

            assert answer.json() == {"accepted": 1, "duplicate": 0, "rejected": []}
            await eventually(is_assessed, seconds=_FLOW_SECONDS)
