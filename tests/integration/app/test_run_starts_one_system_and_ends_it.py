"""`run --practice` as a user has it: it trades, it can be started once, Ctrl-C ends all of it in seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running_system import free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
COMMAND = Path(sys.executable).with_name("trading-orchestrator")


class PracticeRun:
    """The command, and every process that came of it."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "said"
        self.port = free_port()
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(self.command(), stdout=said, stderr=said, start_new_session=True)

    def command(self) -> list[str]:
        command = [str(COMMAND), "run", "--practice", "--speed", "3000"]
        return [*command, "--port", str(self.port), "--data-dir", str(self.data_dir)]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def fills(self) -> list[dict[str, Any]]:
        try:
            return list(self.get("/api/trades")["trades"])
        except OSError:
            return []

    def wait_for_standby(self) -> None:
        def two_are_ready() -> bool:
            return self.log.read_text().count("is ready after") == 3  # the venue and both nodes

        wait_until(two_are_ready, within_s=30, what="both nodes ready")

    def processes(self) -> list[int]:
        """Return the pids whose command line or standard input came from this run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode(errors="replace")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if str(self.data_dir) in command or parent == self.process.pid:
                found.append(int(folder.name))
        return found


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[PracticeRun]:
    run = PracticeRun(tmp_path)
    yield run
    run.process.kill()
    run.process.wait()


def test_it_fills_shows_it_and_ctrl_c_leaves_nothing(practice: PracticeRun) -> None:
    began = time.monotonic()
    fills = wait_until(practice.fills, within_s=60, what="a first fill at /api/trades", every_s=0.1)
    print(f"\nstart -> first fill seen through the API: {time.monotonic() - began:.1f} s")
    assert "EUR/USDT" == fills[0]["symbol"]
    practice.wait_for_standby()
    children = [pid for pid in practice.processes() if pid != practice.process.pid]
    assert 3 == len(children)

    asked = time.monotonic()
    practice.process.send_signal(signal.SIGINT)
    code = practice.process.wait(timeout=15)
    print(f"Ctrl-C -> everything ended: {time.monotonic() - asked:.2f} s")

    assert 0 == code
    assert [] == [pid for pid in children if alive(pid)]


def test_a_second_start_on_the_same_data_directory_is_refused(practice: PracticeRun) -> None:
    """F28, of two keepers."""
    practice.wait_for_standby()
    found = subprocess.run(
        [str(COMMAND), "alerts", "list", "--json", "--data-dir", str(practice.data_dir)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "alerts" in json.loads(found.stdout)  # the console was found though its port stands in no config
    command = practice.command()
    command[command.index("--port") + 1] = str(free_port())
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert 1 == second.returncode
    assert f"is already run by process {practice.process.pid}; stop that one" in second.stderr
    assert practice.process.poll() is None
    practice.process.send_signal(signal.SIGTERM)
    assert 0 == practice.process.wait(timeout=15)


def test_it_ends_within_the_deadline_though_the_venue_is_frozen(practice: PracticeRun) -> None:
    wait_until(practice.fills, within_s=60, what="a first fill", every_s=0.1)
    practice.wait_for_standby()
    venue = next(pid for pid in practice.processes() if b"practice_venue" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(venue, signal.SIGSTOP)
    children = [pid for pid in practice.processes() if pid != practice.process.pid]

    asked = time.monotonic()
    practice.process.send_signal(signal.SIGINT)
    practice.process.wait(timeout=15)
    print(f"\nCtrl-C with a frozen venue -> everything ended: {time.monotonic() - asked:.2f} s")

    assert [] == [pid for pid in children if alive(pid)]


def test_a_killed_keeper_leaves_no_orphan(practice: PracticeRun) -> None:
    practice.wait_for_standby()
    children = [pid for pid in practice.processes() if pid != practice.process.pid]
    practice.process.kill()
    practice.process.wait()

    wait_until(lambda: not [pid for pid in children if alive(pid)], within_s=10, what="every child to leave")


def alive(pid: int) -> bool:
    """Return whether the process runs; one that is dead and not yet reaped by init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
