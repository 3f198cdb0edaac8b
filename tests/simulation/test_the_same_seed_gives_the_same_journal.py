"""The same seed gives the same journal to the last byte, also under another hash seed; another seed, another one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trading_orchestrator.simulation.event_loop import OutsideWorld
from trading_orchestrator.simulation.outside import no_outside_world
from trading_orchestrator.simulation.simulate import Span, simulate

DAYS = 0.0001


def journal_hash(seed: int, hash_seed: int) -> str:
    """The hash from a process of its own: Python's own hashes must not matter either."""
    command = ["simulate", "--seed", str(seed), "--days", str(DAYS), "--faults", "heavy", "--json"]
    found = subprocess.run(
        [sys.executable, "-c", "from trading_orchestrator.cli.main import main; main()", *command],
        env={"PYTHONHASHSEED": str(hash_seed), "PATH": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    answer: dict[str, str] = json.loads(found.stdout)
    return answer["journal_hash"]


def test_two_processes_write_the_same_journal_from_one_seed(root: Path) -> None:
    hashes = {
        journal_hash(7, hash_seed=1),
        journal_hash(7, hash_seed=2),
        simulate(7, Span(DAYS), faults="heavy").journal_hash,
    }

    assert 1 == len(hashes)


def test_another_seed_is_another_story() -> None:
    assert simulate(8, Span(DAYS), faults="heavy").journal_hash != simulate(9, Span(DAYS), faults="heavy").journal_hash


def test_without_faults_nothing_is_violated() -> None:
    outcome = simulate(1, Span(DAYS), faults="none")

    assert ([], 0) == (list(outcome.violations), outcome.faults)
    assert outcome.orders > 50


def test_a_thread_in_a_simulation_is_an_error() -> None:
    with no_outside_world(), pytest.raises(OutsideWorld):
        threading.Thread(target=print).start()
