"""Passwords of an installation: made once, whoever asks first, and the same for all who ask at once."""

import stat
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from deploy.databases import Passwords

_ROLES = [f"role_{number}" for number in range(40)]
_PROCESSES = 4
_spawn = get_context("spawn")


def ask(path: Path, together: Barrier, answers: "Queue[list[str]]") -> None:
    """Ask for all passwords once every process is ready to."""
    passwords = Passwords(path)
    together.wait(60)
    answers.put([passwords.of(role) for role in _ROLES])


class TestPasswords:
    def test_are_the_same_for_processes_that_ask_at_once(self, tmp_path: Path) -> None:
        together, answers = _spawn.Barrier(_PROCESSES), _spawn.Queue()
        given = (tmp_path / "keys" / "databases.json", together, answers)
        processes = [_spawn.Process(target=ask, args=given) for _ in range(_PROCESSES)]
        for process in processes:
            process.start()
        said = [answers.get(timeout=60) for _ in processes]
        for process in processes:
            process.join(60)

        assert all(own == said[0] for own in said)
        assert len(set(said[0])) == len(_ROLES)

    def test_are_kept_where_only_their_owner_reads_them(self, tmp_path: Path) -> None:
        path = tmp_path / "databases.json"
        made = Passwords(path).of("a")

        assert Passwords(path).of("a") == made
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert sorted(one.name for one in tmp_path.iterdir()) == ["databases.json", "databases.lock"]
