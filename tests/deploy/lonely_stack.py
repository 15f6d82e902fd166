"""A stack of idle processes in a process of its own, for a test to kill: `DIRECTORY BASE_PORT`."""

import asyncio
import json
import sys
from pathlib import Path

from deploy.layout import Ports
from deploy.stack import Stack
from tests.deploy.test_stack import IDLE


async def run(directory: Path, base: int) -> None:
    """Start, print the process ids, and wait for whatever comes."""
    async with Stack(directory, Ports(base), composition=IDLE) as stack:
        sys.stdout.write(json.dumps(stack.pids()) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
