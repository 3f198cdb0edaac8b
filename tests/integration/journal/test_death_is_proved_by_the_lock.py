"""Whoever obtains the lock of an incarnation file knows that its process is gone, and only then."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.journal.processes import line_of, running
from trading_orchestrator.journal.deaths import Deaths, clear_dead, list_incarnations
from trading_orchestrator.journal.emergency_area import EMERGENCY_AT, SIZE_BYTES
from trading_orchestrator.journal.incarnation import (
    Ending,
    Incarnation,
    IncarnationUnwritable,
    NodeAlive,
    note_ending,
    path_of,
    read_words,
)
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.boot_id import read_boot_id

CLOCK = SystemClock()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "incarnations"


@pytest.fixture
def deaths(directory: Path) -> Iterator[Deaths]:
    deaths = Deaths(directory)
    yield deaths
    deaths.close()


def hold(directory: Path, node: str = "here") -> Incarnation:
    return Incarnation.hold(directory, node, clock=CLOCK, boot_id=read_boot_id())


async def test_a_killed_process_wakes_every_standby_and_leaves_its_last_words(directory: Path, deaths: Deaths) -> None:
    other = Deaths(directory)
    with running("incarnation_process.py", directory, "trader") as node:
        assert "held" == line_of(node)
        waiting = [asyncio.create_task(standby.wait_death("trader")) for standby in (deaths, deaths, other)]
        await asyncio.wait(waiting, timeout=0.05)
        assert [False] * 3 == [task.done() for task in waiting]
        assert not deaths.is_dead("trader")

        killed_ns = CLOCK.boot_ns()
        node.kill()
        await asyncio.gather(*waiting)
        woken_ms = (CLOCK.boot_ns() - killed_ns) / 1e6

        assert deaths.is_dead("trader")
        words = deaths.words_of("trader")
        assert words is not None
        assert (node.pid, "ema_cross", read_boot_id()) == (words.pid, words.now_running, words.boot_id)
        assert words.started_boot_ns <= words.heartbeat_boot_ns <= killed_ns + 50_000_000
    other.close()
    print(f"\nkill -9 → three waits woken after {woken_ms:.1f} ms")


async def test_a_stopped_process_is_not_dead(directory: Path, deaths: Deaths) -> None:
    with running("incarnation_process.py", directory, "trader") as node:
        assert "held" == line_of(node)
        node.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, node.pid, os.WSTOPPED)
        waiting = asyncio.create_task(deaths.wait_death("trader"))
        await asyncio.wait([waiting], timeout=0.1)

        assert not waiting.done()
        assert not deaths.is_dead("trader")
        node.send_signal(signal.SIGKILL)
        await waiting


async def test_a_child_that_outlives_the_node_does_not_keep_it_alive(directory: Path, deaths: Deaths) -> None:
    with running("incarnation_process.py", directory, "trader", "child") as node:
        child = int(line_of(node))
        assert "held" == line_of(node)
        node.kill()
        await deaths.wait_death("trader")
        os.kill(child, signal.SIGKILL)


async def test_a_living_name_is_refused_to_a_second_process(directory: Path) -> None:
    with running("incarnation_process.py", directory, "trader") as first:
        assert "held" == line_of(first)
        with running("incarnation_process.py", directory, "trader") as second:
            assert f"incarnation.node_alive {first.pid}" == line_of(second)


async def test_of_two_processes_that_start_at_once_one_lives(directory: Path) -> None:
    with (
        running("incarnation_process.py", directory, "trader") as first,
        running("incarnation_process.py", directory, "trader") as second,
    ):
        said = sorted([line_of(first).split()[0], line_of(second).split()[0]])

    assert ["held", "incarnation.node_alive"] == said


async def test_watching_never_stands_in_the_way_of_a_successor_with_the_same_name(
    directory: Path, deaths: Deaths
) -> None:
    old = hold(directory)
    waiting = asyncio.create_task(deaths.wait_death("here"))
    await asyncio.sleep(0)
    old.close()
    new = hold(directory)

    await waiting
    assert not deaths.is_dead("here")
    with pytest.raises(NodeAlive):
        hold(directory)
    new.close()
    assert deaths.is_dead("here")


async def test_giving_up_a_wait_again_and_again_leaves_one_thread(directory: Path, deaths: Deaths) -> None:
    living = hold(directory, "watched")
    for _ in range(20):
        waiting = asyncio.create_task(deaths.wait_death("watched"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert 1 == sum(thread.name == "death-watch watched" for thread in threading.enumerate())
    last = asyncio.create_task(deaths.wait_death("watched"))
    await asyncio.sleep(0)
    living.close()
    await last


async def test_closing_ends_the_waits(directory: Path, deaths: Deaths) -> None:
    living = hold(directory)
    waiting = asyncio.create_task(deaths.wait_death("here"))
    await asyncio.sleep(0)
    deaths.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    living.close()


async def test_without_a_file_there_is_no_proof(deaths: Deaths) -> None:
    waiting = asyncio.create_task(deaths.wait_death("nobody"))
    await asyncio.wait([waiting], timeout=0.02)

    assert not waiting.done()
    assert not deaths.is_dead("nobody")
    assert deaths.words_of("nobody") is None
    waiting.cancel()


def test_the_dead_are_listed_and_cleared_but_for_those_whose_proof_is_needed(directory: Path) -> None:
    nodes = {name: hold(directory, name) for name in ("console", "trader-1", "trader-2")}
    for name in ("trader-1", "trader-2"):
        nodes[name].close()

    listed = {found.words.node: found.alive for found in list_incarnations(directory)}
    assert {"console": True, "trader-1": False, "trader-2": False} == listed
    assert ["trader-1"] == list(clear_dead(directory, keep=["trader-2"]))
    assert ["console", "trader-2"] == [found.words.node for found in list_incarnations(directory)]
    nodes["console"].close()


def test_the_emergency_area_is_on_disk_before_it_is_needed(directory: Path) -> None:
    held = hold(directory)
    status = (directory / "here").stat()

    assert SIZE_BYTES == status.st_size
    assert status.st_blocks * 512 >= SIZE_BYTES > EMERGENCY_AT
    held.close()


@pytest.mark.parametrize("ending", [Ending(-11), Ending(3), Ending(-9, stood_still=True)])
def test_how_a_process_ended_stands_beside_its_last_words(directory: Path, ending: Ending) -> None:
    incarnation = hold(directory)
    incarnation.now_running("ema_cross")
    path = path_of(directory, "here")
    before = read_words(path)
    incarnation.close()

    note_ending(path, ending)
    after = read_words(path)

    assert before is not None
    assert after is not None
    assert (None, ending) == (before.ending, after.ending)
    assert ("ema_cross", before.heartbeat_boot_ns) == (after.now_running, after.heartbeat_boot_ns)


def test_a_note_about_a_file_that_is_gone_makes_none(directory: Path) -> None:
    note_ending(directory / "gone", Ending(3))

    assert not (directory / "gone").exists()


def test_a_name_longer_than_its_place_is_cut_at_a_whole_character(directory: Path) -> None:
    held = hold(directory)
    held.now_running("ä" * 200)
    words = Deaths(directory).words_of("here")

    assert words is not None
    assert "ä" * 127 == words.now_running
    held.now_running("")
    assert "" == getattr(Deaths(directory).words_of("here"), "now_running", None)
    held.close()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(IncarnationUnwritable, match="make the data directory writable"):
        hold(tmp_path / "file")
