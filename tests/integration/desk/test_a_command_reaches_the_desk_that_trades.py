"""`desk kill|arm|…`: the command writes one fact beside a running or stopped system, and the desk follows it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.unit.desk.world import World
from trading_orchestrator.cli.main import build
from trading_orchestrator.errors import Refused

BY = ("--by", "Ada", "--reason", "a drill")


async def trade(folder: Path, *, live: bool = False, quotes: int = 1) -> dict[str, Any]:
    """Start the desk on what is there, show it a quote, and return its row. Every start meets a venue of its own."""
    async with await World.open(folder) as world:
        await world.start(world.node("Turner", {"turns": "bbbbbb"}, live=live))
        for _ in range(quotes):
            await world.quote("1.1000")
        await world.run(0.3)
        return (await world.rows("desks"))[0]


async def positions(folder: Path) -> list[str]:
    async with await World.open(folder) as world:
        return [row["qty"] for row in await world.rows("positions")]


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(build(), ["desk", *words, "--data-dir", str(folder)], catch_exceptions=False)


def command(folder: Path, *words: str) -> str:
    result = run(folder, *words)
    assert 0 == result.exit_code, result.output
    return result.output


@pytest.mark.parametrize(
    ("word", "mode"), [("halt", "halted"), ("drain", "draining"), ("reduce", "reduce_only"), ("kill", "killed")]
)
def test_each_command_sets_its_mode_and_resume_ends_it(tmp_path: Path, word: str, mode: str) -> None:
    assert "normal" == asyncio.run(trade(tmp_path))["mode"]

    command(tmp_path, word, "paper", *BY)
    assert mode == asyncio.run(trade(tmp_path))["mode"]

    command(tmp_path, "resume", "paper", *BY)
    assert "normal" == asyncio.run(trade(tmp_path))["mode"]


def test_a_live_desk_is_armed_by_a_command_that_is_agreed_to(tmp_path: Path) -> None:
    assert "unarmed" == asyncio.run(trade(tmp_path, live=True))["mode"]
    with pytest.raises(Refused, match="say --yes"):
        run(tmp_path, "arm", "paper", *BY)
    assert "unarmed" == asyncio.run(trade(tmp_path, live=True))["mode"]

    command(tmp_path, "arm", "paper", "--yes", *BY)
    row = asyncio.run(trade(tmp_path, live=True))
    assert ("normal", 1) == (row["mode"], row["counts"]["trades"])

    command(tmp_path, "disarm", "paper", *BY)
    assert "unarmed" == asyncio.run(trade(tmp_path, live=True))["mode"]


def test_a_killed_desk_is_loud_in_the_list_of_desks(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))
    said = command(tmp_path, "kill", "paper", *BY)
    assert "back to trading with: trading-orchestrator desk resume paper --by NAME --reason TEXT" in said
    asyncio.run(trade(tmp_path))
    shown = CliRunner().invoke(build(), ["desks", "--data-dir", str(tmp_path)], catch_exceptions=False).output

    assert "paper: KILL SWITCH ON (Ada: a drill); no order leaves; nothing of ours is open, verified twice" in shown
    assert "`desk resume paper` lifts it" in shown


def test_nobody_holds_the_desk_and_the_command_says_so(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))

    assert "nobody holds desk paper now: it follows when it starts" in command(tmp_path, "halt", "paper", *BY)
    told = json.loads(command(tmp_path, "halt", "paper", "--json", *BY))
    assert (False, None, None) == (told["followed"], told["held_by"], told["answer"])


def test_an_adjusted_position_is_less_by_a_plain_negative_number(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))
    words = ("adjust-position", "paper", "EUR/USDT", "-4", "--px", "1.1", "--yes", *BY)
    command(tmp_path, *words)
    asyncio.run(trade(tmp_path, quotes=0))

    assert ["6"] == asyncio.run(positions(tmp_path))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("arm", "papre", "--yes", *BY), "papre"),
        (("adjust", "paper", "EUR", "much", *BY), "expected a number, was 'much'"),
        (("adjust-position", "paper", "EUR/USDT", "1", "--px", "dear", "--yes", *BY), "--px: expected a number"),
        (("write-off", "paper", "nonsense", "--yes", *BY), "nonsense"),
        (("release", "paper", "EUR/USDT", "--by", "", "--reason", "x"), "a named person"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(tmp_path: Path, words: Sequence[str], said: str) -> None:
    asyncio.run(trade(tmp_path))
    with pytest.raises(Refused, match=said):
        run(tmp_path, *words)


def test_a_trade_is_corrected_and_then_taken_back(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path))
    assert ["10"] == asyncio.run(positions(tmp_path))

    command(tmp_path, "correct", "paper", "EUR/USDT", "1", "--qty", "8", "--px", "1.09", *BY)
    asyncio.run(trade(tmp_path, quotes=0))
    assert ["8"] == asyncio.run(positions(tmp_path))

    command(tmp_path, "bust", "paper", "EUR/USDT", "1", "--yes", *BY)
    asyncio.run(trade(tmp_path, quotes=0))
    assert ["0"] == asyncio.run(positions(tmp_path))
