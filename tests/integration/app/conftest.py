"""A journal that a desk has traded on, made once: the commands only read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.integration.app.traded_journal import TradedJournal, live_through_it
from trading_orchestrator.cli.main import build

Cli = Callable[..., Result]


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> TradedJournal:
    return asyncio.run(live_through_it(tmp_path_factory.mktemp("traded")))


@pytest.fixture
def cli(traded: TradedJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a runner of commands on that journal."""
    monkeypatch.chdir(tmp_path)
    app = build()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--data-dir", str(traded.folder)])

    return run
