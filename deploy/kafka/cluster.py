"""One or three Apache Kafka brokers on this machine: `python -m deploy.kafka.cluster --brokers 3`."""

import argparse
import asyncio
import base64
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.children import Child
from deploy.kafka import jars
from deploy.preflight import StackError, is_free, require_free_ports

FIRST_PORT = 8160
_READY_SECONDS = 90.0
_STOP_SECONDS = 8.0
_HEAP = {1: ("-Xms512m", "-Xmx1g"), 3: ("-Xms256m", "-Xmx512m")}


class KafkaCluster:
    """Combined controllers and brokers in KRaft mode, numbered from 1, with data under one directory."""

    def __init__(self, directory: Path, *, brokers: int = 1, first_port: int = FIRST_PORT, keep: bool = False) -> None:
        self._directory = directory.absolute()
        self._numbers = range(1, brokers + 1)
        self._first_port = first_port
        self._keep = keep
        self._children: dict[int, Child] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return ",".join(self._address(number) for number in self._numbers)

    async def start(self) -> None:
        """Format what is not formatted, start every broker and wait until each is a member."""
        taken = {f"broker {n}": self._port(n) for n in self._numbers}
        require_free_ports({**taken, **{f"controller {n}": self._port(n) + 1 for n in self._numbers}})
        library = await asyncio.to_thread(jars.fetch, self._directory)
        if not self._keep:
            shutil.rmtree(self._directory / "brokers", ignore_errors=True)
        await asyncio.to_thread(self._format, library)
        for number in self._numbers:
            self._children[number] = self._broker(number, library)
            self._children[number].start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop every broker; one that waits for a quorum that is gone is killed."""
        for child in self._children.values():
            child.send(signal.SIGTERM)
        await asyncio.gather(*(child.ended(_STOP_SECONDS) for child in self._children.values()))
        for child in self._children.values():
            await child.kill()

    async def kill(self, number: int) -> None:
        """Kill one broker as a power cut would, and wait until it is gone."""
        await self._children[number].kill()

    def restart(self, number: int) -> None:
        """Start a killed broker again on its data; `ready()` tells when it is back."""
        self._children[number].start()

    def pids(self) -> dict[int, int]:
        """Return the process id of each broker that runs."""
        return {number: child.pid for number, child in self._children.items() if child.pid is not None}

    async def ready(self, seconds: float = _READY_SECONDS) -> None:
        """Wait until every broker is a member of the cluster."""
        deadline = time.monotonic() + seconds
        while await self._members() < len(self._numbers):
            ended = [child for child in self._children.values() if not child.is_running()]
            if ended or time.monotonic() > deadline:
                words = "\n".join(f"{c.name} {c.obituary()}:\n{c.last_words()}" for c in ended)
                raise StackError(f"Kafka does not get ready; logs are in {self._directory}\n{words}")
            await asyncio.sleep(0.1)

    async def _members(self) -> int:
        # A broker that was killed counts as a member until its session ends, so it must also listen.
        if any(is_free(self._port(number)) for number in self._numbers):
            return 0
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2_000)
        try:
            await admin.start()
            return len((await admin.describe_cluster())["brokers"])
        except (KafkaError, TimeoutError):
            return 0
        finally:
            await admin.close()

    def _broker(self, number: int, library: Path) -> Child:
        home = self._home(number)
        small_pauses = ["-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        logging = "-Dorg.apache.logging.log4j.level=WARN"
        program = [jars.java(), *_HEAP[len(self._numbers)], *small_pauses, logging, "-cp", f"{library}/*"]
        command = [*program, "kafka.Kafka", str(home / "server.properties")]
        return Child(f"kafka-{number}", command, log=home / "server.log", directory=home)

    def _format(self, library: Path) -> None:
        cluster_id = self._cluster_id()
        for number in self._numbers:
            home = self._home(number)
            home.mkdir(parents=True, exist_ok=True)
            properties = home / "server.properties"
            properties.write_text("".join(f"{k}={v}\n" for k, v in self._settings(number).items()))
            tool = [jars.java(), "-cp", f"{library}/*", "kafka.tools.StorageTool", "format"]
            done = subprocess.run(
                [*tool, "--ignore-formatted", "--cluster-id", cluster_id, "--config", str(properties)],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                raise StackError(f"Kafka cannot format {home}:\n{done.stdout}{done.stderr}")

    def _cluster_id(self) -> str:
        path = self._directory / "brokers" / "cluster.id"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # A leading dash, which URL-safe base64 may have, would be read as an option.
            path.write_text("c" + base64.urlsafe_b64encode(uuid4().bytes).decode()[1:22])
        return path.read_text()

    def _settings(self, number: int) -> dict[str, str]:
        """Return server.properties; what is not here is Kafka's default."""
        count = len(self._numbers)
        client, controller = self._address(number), f"127.0.0.1:{self._port(number) + 1}"
        voters = ",".join(f"{n}@127.0.0.1:{self._port(n) + 1}" for n in self._numbers)
        return {
            "node.id": str(number),
            "process.roles": "broker,controller",
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._home(number) / "log"),
            # A dead broker is noticed, and its partitions led by others, in 3 to 5 s instead of 8 to 13.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "default.replication.factor": str(count),
            "min.insync.replicas": "2" if count > 1 else "1",
            "offsets.topic.replication.factor": str(count),
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": str(count),
            "transaction.state.log.min.isr": "2" if count > 1 else "1",
            "group.initial.rebalance.delay.ms": "0",
            "num.partitions": "4",
            "message.max.bytes": "8000000",
            "auto.create.topics.enable": "false",
        }

    def _home(self, number: int) -> Path:
        return self._directory / "brokers" / str(number)

    def _port(self, number: int) -> int:
        return self._first_port + 2 * (number - 1)

    def _address(self, number: int) -> str:
        return f"127.0.0.1:{self._port(number)}"


async def _run(cluster: KafkaCluster) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with cluster:
        sys.stdout.write(f"KAFKA_BOOTSTRAP={cluster.bootstrap}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Run a cluster until Ctrl-C, or only fetch its jars."""
    parser = argparse.ArgumentParser(prog="python -m deploy.kafka.cluster", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=sorted(_HEAP), default=1)
    parser.add_argument("--directory", type=Path, default=Path("var/kafka"))
    parser.add_argument("--port", type=int, default=FIRST_PORT, help="of the first broker")
    parser.add_argument("--keep", action="store_true", help="go on with the data of the last run")
    parser.add_argument("--fetch", action="store_true", help="fetch the jars and end")
    options = parser.parse_args()
    try:
        if options.fetch:
            jars.fetch(options.directory)
            return
        asyncio.run(
            _run(KafkaCluster(options.directory, brokers=options.brokers, first_port=options.port, keep=options.keep))
        )
    except StackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
