"""A process of a stack that does nothing until it is told to stop, or fails at once if asked to."""

import asyncio
import signal
import sys


async def wait_for_the_end() -> None:
    """Wait for SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    if "fail" in sys.argv:
        sys.exit("told to fail")
    asyncio.run(wait_for_the_end())
