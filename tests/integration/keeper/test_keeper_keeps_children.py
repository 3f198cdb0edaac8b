"""The keeper restarts what dies, kills what hangs, and leaves nobody behind; with real, small children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.running_system import wait_until

pytestmark = pytest.mark.integration

DRIVER = """
import errno, os, struct, subprocess, sys
from pathlib import Path
from trading_orchestrator.keeper.backoff import Backoff
from trading_orchestrator.keeper.child import Spec
from trading_orchestrator.keeper.config import KeeperConfig
from trading_orchestrator.keeper.keeper import Keeper, NodeRefused, Slot
from trading_orchestrator.keeper.service_manager import ServiceManager
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import variable

folder, child, starts_failing = Path(sys.argv[1]), sys.argv[2], set(sys.argv[3].split(","))
count = 0
popen, pidfd_open = subprocess.Popen, os.pidfd_open

def scarce_popen(*args, **options):
    if f"fork {count}" in starts_failing:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    return popen(*args, **options)

def scarce_pidfd_open(pid):
    if f"descriptor {count}" in starts_failing:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return pidfd_open(pid)

subprocess.Popen, os.pidfd_open = scarce_popen, scarce_pidfd_open

def make():
    global count
    count += 1
    argv = [sys.executable, "-c", child, "{ready_fd}", "{keeper_fd}", str(folder), str(count)]
    return Spec(name=f"child {count}", argv=argv, stdin=b"spec", heartbeat_path=folder / f"beat{count}")

def last_beat_ns(path):
    return int(path.read_text()) if path.exists() and path.read_text() else None

config = KeeperConfig(hang_kill_s=0.5, stop_deadline_s=1.5, start_timeout_s=5)
say = lambda sentence: print(sentence, flush=True)
try:
    slots = [Slot("a", make, Backoff(1.0))]
    service = ServiceManager(variable)
    notes = (folder / "noted").open("a", buffering=1)
    note = lambda path, ending: print(f"{path.name}: {ending.code} {ending.stood_still}", file=notes)
    beats = {"last_beat_ns": last_beat_ns, "note_ending": note}
    Keeper(config, slots, clock=SystemClock(), say=say, service=service, **beats).run()
except NodeRefused as error:
    print(f"refused: {error.message}", flush=True)
"""
CHILD = """
import os, select, signal, sys, time
ready, keeper, folder, number = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
assert sys.stdin.read() == "spec"
open(f"{folder}/pid{number}", "w").write(str(os.getpid()))
BODY
"""
OBEDIENT = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(ready, b"READY\\n")
select.select([keeper], [], [])
open(f"{folder}/saw_keeper_go{number}", "w").close()
"""
DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(ready, b"READY\\n")
time.sleep(60)
"""
HANGING = """
os.write(ready, b"READY\\n")
if number == "1":
    open(f"{folder}/beat1", "w").write(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
time.sleep(60)
"""
BUSY_AT_THE_END = """
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
os.write(ready, b"READY\\n")
while not ended:
    open(f"{folder}/beat{number}.new", "w").write(str(time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
    os.replace(f"{folder}/beat{number}.new", f"{folder}/beat{number}")
    time.sleep(0.05)
time.sleep(0.9)
"""
CRASHING = """
os.write(ready, b"READY\\n")
os._exit(3)
"""
REFUSING = """
os.write(ready, b"REFUSED the journal is newer than this program\\n")
sys.exit(78)
"""


class Driven:
    """A keeper in a process of its own."""

    def __init__(self, folder: Path, body: str, starts_failing: str = "") -> None:
        self.folder = folder
        child = CHILD.replace("BODY", textwrap.dedent(body))
        command = [sys.executable, "-c", DRIVER, str(folder), child, starts_failing]
        with (folder / "said").open("wb") as said:
            self.process = subprocess.Popen(command, stdout=said, start_new_session=True)

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def noted(self) -> list[str]:
        """Return what the keeper noted of endings, oldest first."""
        return (self.folder / "noted").read_text().splitlines()

    def child_pid(self, number: int) -> int:
        path = self.folder / f"pid{number}"
        wait_until(lambda: path.exists() and path.read_text(), within_s=15, what=f"child {number}")
        return int(path.read_text())

    def wait_ready(self, number: int) -> None:
        wait_until(
            lambda: f"child {number} (pid" in self.said() and "is ready" in self.said(), within_s=15, what="READY"
        )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_child_is_replaced_at_once_and_sigterm_ends_all(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, OBEDIENT)
    first = keeper.child_pid(1)
    keeper.wait_ready(1)
    os.kill(first, signal.SIGKILL)

    second = keeper.child_pid(2)
    wait_until(lambda: keeper.said().count("is ready") == 2, within_s=15, what="the second child to be ready")
    keeper.process.send_signal(signal.SIGTERM)

    assert 0 == keeper.process.wait(timeout=10)
    assert "was ended by SIGKILL; starting another at once" in keeper.said()
    assert ["beat1: -9 False", "beat2: 0 False"] == keeper.noted()
    assert not is_alive(second)


def test_a_child_whose_loop_stands_still_is_killed(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, HANGING)

    keeper.child_pid(2)
    keeper.process.send_signal(signal.SIGTERM)

    assert 0 == keeper.process.wait(timeout=10)
    assert "has not turned its event loop" in keeper.said()
    assert "beat1: -9 True" == keeper.noted()[0]


def test_a_child_that_crashes_is_noted_with_its_code(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, CRASHING)

    keeper.child_pid(2)
    keeper.process.send_signal(signal.SIGTERM)

    assert 0 == keeper.process.wait(timeout=10)
    assert "beat1: 3 False" == keeper.noted()[0]


def test_a_keeper_that_cannot_start_a_child_lives_and_tries_again(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, OBEDIENT, "fork 2,descriptor 3")
    first = keeper.child_pid(1)
    keeper.wait_ready(1)
    before = descriptors(keeper.process.pid)
    os.kill(first, signal.SIGKILL)
    keeper.child_pid(4)
    wait_until(lambda: keeper.said().count("is ready") == 2, within_s=15, what="the fourth child to be ready")

    assert before == descriptors(keeper.process.pid)
    assert "child 2 could not be started (Cannot allocate memory); starting another in 0.25 s" in keeper.said()
    assert "child 3 could not be started (Too many open files); starting another in 0.5 s" in keeper.said()
    assert [keeper.child_pid(4)] == children(keeper.process.pid)
    keeper.process.send_signal(signal.SIGTERM)
    assert 0 == keeper.process.wait(timeout=10)


def test_a_child_that_does_not_obey_is_killed_at_the_deadline(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, DEAF)
    pid = keeper.child_pid(1)
    keeper.wait_ready(1)
    keeper.process.send_signal(signal.SIGINT)

    assert 0 == keeper.process.wait(timeout=10)
    assert "deadline has passed" in keeper.said()
    assert not is_alive(pid)


def test_of_who_is_leaving_the_deadline_alone_decides(tmp_path: Path) -> None:
    """The last writes of a busy machine take longer than a loop may stand still otherwise."""
    keeper = Driven(tmp_path, BUSY_AT_THE_END)
    keeper.child_pid(1)
    keeper.wait_ready(1)
    keeper.process.send_signal(signal.SIGINT)

    assert 0 == keeper.process.wait(timeout=10)
    assert "killing" not in keeper.said()
    assert ["beat1: 0 False"] == keeper.noted()


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, DEAF)
    keeper.child_pid(1)
    keeper.wait_ready(1)
    keeper.process.send_signal(signal.SIGINT)
    wait_until(lambda: "stopping in order" in keeper.said(), within_s=5, what="the first signal to be heard")
    keeper.process.send_signal(signal.SIGINT)

    assert 0 == keeper.process.wait(timeout=10)
    assert "deadline has passed" not in keeper.said()


def test_children_see_a_killed_keeper_and_no_orphan_stays(tmp_path: Path) -> None:
    keeper = Driven(tmp_path, OBEDIENT)
    pid = keeper.child_pid(1)
    keeper.wait_ready(1)
    keeper.process.kill()
    keeper.process.wait(timeout=10)

    wait_until((tmp_path / "saw_keeper_go1").exists, within_s=5, what="the child to notice")
    wait_until(lambda: not is_alive(pid), within_s=5, what="the child to leave")


def test_a_first_start_that_is_refused_ends_the_keeper_with_the_sentence(tmp_path: Path) -> None:
    began = time.monotonic()
    keeper = Driven(tmp_path, REFUSING)

    assert 0 == keeper.process.wait(timeout=15)
    assert "refused: the journal is newer than this program\n" == keeper.said()
    assert time.monotonic() - began < 15
