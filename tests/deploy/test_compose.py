"""The compose file parses, and runs every part of every service with the environment they read."""

from collections.abc import Mapping

import pytest
import yaml

from deploy.layout import DATABASES, ROOT, SERVICES, Ports

_PARTS = ("api", "relay", "worker")
_PATROLS = {"risk-patrol"}
Containers = Mapping[str, Mapping[str, object]]


@pytest.fixture(scope="module")
def containers() -> Containers:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services: Containers = document["services"]
    return services


def environment(container: Mapping[str, object]) -> Mapping[str, str]:
    variables = container["environment"]
    assert isinstance(variables, dict)
    return variables


class TestCompose:
    def test_runs_every_part_of_every_service_and_nothing_else_of_ours(self, containers: Containers) -> None:
        parts = {f"{service}-{part}" for service in SERVICES for part in _PARTS}

        assert set(containers) == parts | _PATROLS | {"postgres", "kafka", "prepare"}
        for service in SERVICES:
            for part in _PARTS:
                command = containers[f"{service}-{part}"]["command"]
                assert command == ["python", "-m", f"services.{service}", part]

    @pytest.mark.parametrize("service", SERVICES)
    def test_gives_a_service_its_own_database_as_the_application_only(
        self, containers: Containers, service: str
    ) -> None:
        variables = environment(containers[f"{service}-api"])

        urls = {name: value for name, value in variables.items() if name.endswith("DATABASE_URL")}
        own = [name for name in DATABASES if name.partition("_")[0] == service]
        assert list(urls) == [f"{name.upper()}_DATABASE_URL" for name in own]
        assert f"//{service}_app:" in urls[f"{service.upper()}_DATABASE_URL"]
        assert variables[f"{service.upper()}_PORT"] == str(Ports().of(service))

    def test_prepares_every_database_before_any_service_starts(self, containers: Containers) -> None:
        variables = environment(containers["prepare"])

        assert all(f"{name.upper()}_OWNER_DATABASE_URL" in variables for name in DATABASES)
        for service in SERVICES:
            waits_for = containers[f"{service}-worker"]["depends_on"]
            assert waits_for == {"prepare": {"condition": "service_completed_successfully"}}

    def test_keeps_the_private_key_from_services(self, containers: Containers) -> None:
        for name, container in containers.items():
            mounts = container.get("volumes", [])
            assert isinstance(mounts, list)
            if name != "prepare":
                assert not [mount for mount in mounts if mount.startswith("keys:")]
