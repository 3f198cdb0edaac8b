"""Of two workers, one that wants the machine alone waits for the other; of many that share it, each has a core."""

from __future__ import annotations

import fcntl
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.quiet import CORES, turn


def test_who_wants_it_alone_comes_before_those_who_share_it_later(tmp_path: Path) -> None:
    said: list[str] = []
    with turn(alone=False, folder=tmp_path):
        waiting = threading.Thread(target=hold, args=(said, "alone", tmp_path))
        waiting.start()
        late = threading.Thread(target=hold, args=(said, "shared", tmp_path))
        while not is_shut(tmp_path):
            pass
        late.start()
        said.append("first")
    waiting.join()
    late.join()

    assert ["first", "alone", "shared"] == said


def test_of_those_that_share_it_no_more_work_than_there_are_cores(tmp_path: Path) -> None:
    said: list[str] = []
    with ExitStack() as busy:
        for _ in range(CORES):
            busy.enter_context(turn(alone=False, folder=tmp_path))
        waiting = threading.Thread(target=hold, args=(said, "one more", tmp_path))
        waiting.start()
        with turn(alone=False, idle=True, folder=tmp_path):
            waiting.join(0.1)
            said.append("one that waits")
    waiting.join()

    assert ["one that waits", "one more"] == said


def hold(said: list[str], name: str, folder: Path) -> None:
    with turn(alone=name == "alone", folder=folder):
        said.append(name)


def is_shut(folder: Path) -> bool:
    """Return whether somebody waits to have it alone."""
    with next(folder.glob("*.door")).open("w") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
