"""What every test shares: the tree, a mark by folder, and Hypothesis without a stopwatch."""

from __future__ import annotations

import decimal
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import settings

from tests.quiet import CORES, turn, wait_for_lines

Figures = Callable[[], AbstractContextManager[None]]

ROOT = Path(__file__).resolve().parents[1]
MARKED_FOLDERS = ("integration", "simulation", "chaos")
IS_LONG = "CHAOS_KILLS" in os.environ  # make test CHAOS=long
TAKES_LONG = pytest.mark.skip(reason="takes half a minute and more: make test CHAOS=long runs it, and so does .ci/run")
ALONE = pytest.StashKey[int]()

# A deadline per example times the machine, not the code; the blob repeats a failure anywhere.
# New examples are sought at the desk; a merge is judged by the same ones every time.
settings.register_profile("house", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the rung its folder stands for, so `-m 'not chaos'` needs no marks by hand.

    Who wants the machine alone comes first: later it would keep a worker waiting for the other one's long test. Chaos
    that mostly waits takes longest, so it comes next.
    """
    for item in items:
        if item.get_closest_marker("long") is not None and not IS_LONG:
            item.add_marker(TAKES_LONG)
        for folder in MARKED_FOLDERS:
            if folder in item.path.relative_to(ROOT).parts:
                item.add_marker(folder)
    items.sort(key=lambda item: 0 if is_alone(item) else 1 if is_idle_chaos(item) else 2)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Know how many want the machine alone, after `-k` and `-m` have chosen."""
    session.config.stash[ALONE] = sum(is_alone(item) for item in session.items)


@pytest.hookimpl(optionalhook=True)  # a debugger wants no xdist
def pytest_xdist_auto_num_workers() -> int:
    """More workers than cores, for tests that mostly wait; `turn` keeps the others to a core each."""
    return CORES + 2


def is_alone(item: pytest.Item) -> bool:
    """Return whether the test wants the machine to itself: chaos that measures, and what uses every core by itself."""
    is_chaos = item.get_closest_marker("chaos") is not None and not is_idle(item)
    return is_chaos or item.get_closest_marker("alone") is not None


def is_idle(item: pytest.Item) -> bool:
    """Return whether the test mostly waits, so that others may work beside it."""
    return item.get_closest_marker("waits") is not None


def is_idle_chaos(item: pytest.Item) -> bool:
    """Return whether the test waits for minutes: begun too early, it keeps those waiting that want to be alone."""
    return is_idle(item) and item.get_closest_marker("chaos") is not None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Wait for the test's turn on this machine, before its time-out begins to count."""
    done = item.config._tmp_path_factory.getbasetemp().parent / "done-alone"  # type: ignore[attr-defined]  # all share it
    if is_idle_chaos(item) and hasattr(item.config, "workerinput"):
        wait_for_lines(done, item.config.stash[ALONE])
    with turn(alone=is_alone(item), idle=is_idle(item)):
        try:
            return (yield)
        finally:
            if is_alone(item):
                with done.open("a") as lines:
                    lines.write(f"{item.nodeid}\n")


@pytest.fixture(autouse=True)
def own_arithmetic() -> None:
    """Tests that use ccxt bare leave its rounding mode behind."""
    decimal.setcontext(decimal.Context())


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> tuple[Path, ...]:
    """Every file under version control that still exists, as absolute paths."""
    # A clone that belongs to somebody else (a container's mount) is still ours to read.
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Whatever a test prints inside `with figures():` stands at the end of the run, whichever worker it ran in."""

    @contextmanager
    def printed() -> Iterator[None]:
        with redirect_stdout(StringIO()) as said:
            yield
        record_property("figures", said.getvalue())

    return printed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured, before pytest's own closing line."""
    ended = [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]
    measured = [(each.nodeid, text) for each in ended for name, text in each.user_properties if name == "figures"]
    for nodeid, text in measured:
        terminalreporter.section(nodeid, sep="-")
        terminalreporter.write_line(str(text).strip())
