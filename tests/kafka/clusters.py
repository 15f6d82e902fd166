"""Apache Kafka beside a stack: clusters in directories of their own, with the jars fetched once."""

from pathlib import Path

from deploy.kafka.cluster import KafkaCluster
from deploy.layout import ROOT
from deploy.preflight import is_free


def new_cluster(directory: Path, *, brokers: int) -> KafkaCluster:
    """Return a cluster on free ports that uses the jars `make test-kafka` has fetched."""
    for name in ("jars", "jars.sha256"):
        (directory / name).symlink_to(ROOT / "var" / "kafka" / name)
    port = next(p for p in range(22_000, 60_000, 10) if all(is_free(p + n) for n in range(2 * brokers)))
    return KafkaCluster(directory, brokers=brokers, first_port=port)
