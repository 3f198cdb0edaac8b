"""The reading commands: what they list, how they count, how they refuse, and that --json is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.app.conftest import Cli
from tests.integration.app.traded_journal import TradedJournal
from trading_orchestrator.cli.orders import Status
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.orders.life import At

COMMAND = Path(sys.executable).with_name("trading-orchestrator")


def test_orders_are_listed_last_changed_first(cli: Cli, traded: TradedJournal) -> None:
    listed = json.loads(cli("orders", "list", "--json").stdout)["orders"]

    assert {traded.filled, traded.ghost, traded.absent, traded.taken_over} == {row["cl_ord_id"] for row in listed}
    assert traded.filled == listed[-1]["cl_ord_id"]
    assert "record" not in listed[0]


def test_orders_are_picked_by_status_desk_and_number(cli: Cli, traded: TradedJournal) -> None:
    def picked(*options: str) -> list[str]:
        found = json.loads(cli("orders", "list", "--json", *options).stdout)["orders"]
        return [row["cl_ord_id"] for row in found]

    assert [traded.absent] == picked("--status", "abandoned")
    assert [] == picked("--status", "open")
    assert 2 == len(picked("--limit", "2"))
    assert "--limit" not in cli("orders", "list").stdout
    assert "2 orders, last changed first; --limit shows more" in cli("orders", "list", "--limit", "2").stdout
    assert 4 == len(picked("--desk", "paper"))


def test_every_state_of_an_order_can_be_asked_for() -> None:
    assert {at.value for at in At} | {"open"} == {status.value for status in Status}


def test_numbers_stand_under_each_other_at_the_right(cli: Cli) -> None:
    table = cli("orders", "list").stdout.splitlines()
    header, rows = table[1], table[2:6]
    ends_at = header.index("qty") + len("qty")

    assert {"10"} == {row[:ends_at].split()[-1] for row in rows}
    assert {" "} == {row[ends_at] for row in rows}


def test_a_pipe_gets_no_colours(cli: Cli, traded: TradedJournal) -> None:
    for arguments in (("orders", "list"), ("orders", "explain", traded.ghost), ("desks",), ("journal", "tail")):
        assert "\x1b" not in cli(*arguments).stdout


def test_a_status_tells_what_was_realized_and_not_the_profit_of_the_page(cli: Cli) -> None:
    said = cli("status").stdout

    assert "realized before fees" in said
    assert "profit" not in said


def test_positions_and_desks_agree_with_the_journal(cli: Cli) -> None:
    position = json.loads(cli("positions", "--json").stdout)["positions"][0]
    desk = json.loads(cli("desks", "--json").stdout)["desks"][0]

    assert ("paper", "EUR/USDT", "10") == (position["desk"], position["symbol"], position["qty"])
    assert ("paper", "normal", 0, None) == (desk["desk"], desk["mode"], desk["open_orders"], desk["held_by"])
    assert "0.9999" in cli("positions").stdout
    assert "nobody" in cli("desks").stdout


def test_a_desk_that_is_not_there_names_the_nearest(cli: Cli) -> None:
    for command in (("orders", "list"), ("positions",)):
        error = cli(*command, "--desk", "papre").exception
        assert isinstance(error, Refused)
        assert "did you mean `paper`?" in error.message


def test_the_tail_shows_the_newest_oldest_of_them_first(cli: Cli) -> None:
    facts = [json.loads(line) for line in cli("journal", "tail", "--json", "-n", "5").stdout.splitlines()]

    assert 5 == len(facts)
    assert sorted(fact["pos"] for fact in facts) == [fact["pos"] for fact in facts]
    assert isinstance(facts[0]["body"], dict)


def test_the_tail_is_picked_by_stream_and_kind(cli: Cli) -> None:
    def kinds(*options: str) -> list[str]:
        return [json.loads(line)["kind"] for line in cli("journal", "tail", "--json", *options).stdout.splitlines()]

    assert ["lease.claimed"] == kinds("--stream", "cluster")
    assert ["order.doubted"] * 2 == kinds("--kind", "order.doubted")
    assert ["order.doubted", "order.abandoned"] == kinds(
        "--kind", "order.abandoned", "--kind", "order.doubted", "-n", "2"
    )
    error = cli("journal", "tail", "--stream", "clustr").exception
    assert isinstance(error, Refused)
    assert "did you mean `cluster`?" in error.message


async def test_following_shows_a_fact_as_it_is_written(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    await store.append([NewFact("config", "config.changed", {"number": 0})], node="n", fence=None)
    arguments = [str(COMMAND), "journal", "tail", "--follow", "--json", "--kind", "config.changed"]
    tail = subprocess.Popen([*arguments, "--data-dir", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert tail.stdout is not None
        first = json.loads(tail.stdout.readline())
        await store.append([NewFact("cluster", "node.started", {"node": "n"})], node="n", fence=None)
        await store.append([NewFact("config", "config.changed", {"number": 1})], node="n", fence=None)
        second = json.loads(tail.stdout.readline())
    finally:
        tail.send_signal(signal.SIGINT)
        code = tail.wait(timeout=10)
        tail.communicate()
        await store.close()

    assert ({"number": 0}, {"number": 1}) == (first["body"], second["body"])
    assert code in (130, -signal.SIGINT)


@pytest.mark.parametrize(
    "arguments", [["orders", "list"], ["orders", "explain", "x"], ["positions"], ["desks"], ["journal", "tail"]]
)
def test_without_a_journal_each_says_so_and_makes_none(tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [str(COMMAND), *arguments, "--data-dir", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 1 == done.returncode
    assert "there is no journal" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_reader_that_has_seen_enough_is_no_error_on_the_screen(traded: TradedJournal) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    tail = [str(COMMAND), "journal", "tail", "-n", "1000", "--data-dir", str(traded.folder)]
    done = subprocess.run(tail, stdout=write_fd, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write_fd)

    assert "" == done.stderr
