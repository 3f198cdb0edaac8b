"""`desk kill|halt|…`: the command writes one fact beside a running or stopped system, and the desk follows it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.desk.world import World
from trading_orchestrator.cli.main import build
from trading_orchestrator.errors import Refused


async def trade(folder: Path) -> str:
    """Start the desk on what is there, show it a quote, and return its mode."""
    async with await World.open(folder) as world:
        await world.start(world.node("Turner", {"turns": "bb"}))
        await world.quote("1.1000")
        await world.run(0.3)
        return str((await world.rows("desks"))[0]["mode"])


def command(folder: Path, *words: str) -> None:
    result = CliRunner().invoke(build(), ["desk", *words, "--data-dir", str(folder)], catch_exceptions=False)
    assert 0 == result.exit_code, result.output


@pytest.mark.parametrize(
    ("word", "mode"), [("halt", "halted"), ("drain", "draining"), ("reduce", "reduce_only"), ("kill", "killed")]
)
def test_each_command_sets_its_mode_and_resume_ends_it(tmp_path: Path, word: str, mode: str) -> None:
    assert "normal" == asyncio.run(trade(tmp_path))

    command(tmp_path, word, "paper", "--by", "Ada", "--reason", "a drill")
    assert mode == asyncio.run(trade(tmp_path))

    command(tmp_path, "resume", "paper", "--by", "Ada", "--reason", "the drill is over")
    assert "normal" == asyncio.run(trade(tmp_path))


def test_a_desk_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))

    with pytest.raises(Refused, match="no desk 'papr'"):
        command(tmp_path, "kill", "papr", "--by", "Ada", "--reason", "a drill")


def test_nobody_kills_a_desk_without_a_name(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))

    with pytest.raises(Refused, match="named person"):
        command(tmp_path, "kill", "paper", "--by", " ", "--reason", "a drill")
