"""A venue with deep pockets, and a system that trades on it fast."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.running_system import RunningSystem
from tests.venue_process import VenueProcess

LOG_LINES = 60


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[VenueProcess]:
    process = VenueProcess.start_new(
        tmp_path / "venue", account=["demo:demo-key:demo-secret:EUR=100000000,USDT=100000000"], speed="2000"
    )
    yield process
    process.stop()


@pytest.fixture
def system(tmp_path: Path, venue: VenueProcess) -> Iterator[RunningSystem]:
    """Not started: a test may change it first."""
    hold_dir = tmp_path / "hold"
    hold_dir.mkdir()
    running = RunningSystem(tmp_path, venue, strategies=3, every_s=0.02, hold_dir=hold_dir)
    yield running
    if running.is_running():
        running.kill_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the system said beside a failure: where CI ran, nobody can look it up afterwards."""
    report = yield
    running = getattr(item, "funcargs", {}).get("system")
    if report.when == "call" and report.failed and isinstance(running, RunningSystem) and running.log.exists():
        lines = running.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        report.sections.append(("the end of system.log", "\n".join(lines)))
    return report
