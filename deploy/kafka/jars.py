"""Java, and the jars of a Kafka broker, fetched once by Maven."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from deploy.preflight import StackError

_POM = Path(__file__).with_name("pom.xml")


def java() -> str:
    """Return the Java program."""
    return _program("java", "openjdk-17-jre-headless")


def fetch(directory: Path) -> Path:
    """Return the folder of the jars below `directory`, filled if it was not from this very POM."""
    jars, stamp = directory / "jars", directory / "jars.sha256"
    wanted = hashlib.sha256(_POM.read_bytes()).hexdigest()
    if jars.exists() and stamp.exists() and stamp.read_text() == wanted:
        return jars
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    command = [_program("mvn", "maven"), "--quiet", "--batch-mode", "--file", str(_POM)]
    done = subprocess.run(
        [*command, "dependency:copy-dependencies", f"-DoutputDirectory={jars.absolute()}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise StackError(f"Maven cannot fetch Kafka's jars:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    stamp.write_text(wanted)
    return jars


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise StackError(f"there is no {name} on this machine; on Debian and Ubuntu install {package}")
    return path
