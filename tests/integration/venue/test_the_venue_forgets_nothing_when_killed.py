"""`kill -9` of the venue loses nothing it accepted; its end by signal or with its parent is quick and clean."""

import json
import signal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.integration.venue.conftest import MakeClient, ccxt_client, hold
from tests.venue_process import VenueProcess
from trading_orchestrator.drills.waiting import DrillFailed

SYMBOL = "EUR/USDT"


async def test_orders_trades_and_balances_survive_kill_9(own_venue: VenueProcess, make_client: MakeClient) -> None:
    alice = make_client(own_venue)
    filled = await alice.create_order(SYMBOL, "market", "buy", 100)
    part = await alice.create_order(SYMBOL, "limit", "sell", 1500, 1.1)
    gone = await alice.create_order(SYMBOL, "limit", "sell", 10, 1.3)
    await alice.cancel_order(gone["id"], SYMBOL)
    before = own_venue.control("GET", "state")["accounts"]

    own_venue.kill()
    own_venue.start()
    alice = make_client(own_venue)

    assert before == own_venue.control("GET", "state")["accounts"]
    assert ["closed", "open", "canceled"] == [
        (await alice.fetch_order(order["id"], SYMBOL))["status"] for order in (filled, part, gone)
    ]


async def test_a_resting_order_still_trades_after_a_restart(own_venue: VenueProcess, make_client: MakeClient) -> None:
    alice = make_client(own_venue)
    resting = await alice.create_order(SYMBOL, "limit", "buy", 100, 1.02)

    own_venue.kill()
    own_venue.start()
    hold(own_venue, bid="1.00000", ask="1.01000")

    done = await make_client(own_venue).fetch_order(resting["id"], SYMBOL)
    assert ("closed", 1.02) == (done["status"], done["average"])


async def test_no_id_is_given_out_twice(own_venue: VenueProcess, make_client: MakeClient) -> None:
    alice = make_client(own_venue)
    before = [await alice.create_order(SYMBOL, "market", "buy", 10) for _ in range(3)]
    own_venue.control("POST", "market", {"go_on": True})
    public_before = int((await alice.watch_trades(SYMBOL))[-1]["id"])

    own_venue.kill()
    own_venue.start()
    after = await make_client(own_venue).create_order(SYMBOL, "market", "buy", 10)

    assert int(after["id"]) > max(int(order["id"]) for order in before)
    assert int(before[-1]["trades"][0]["id"]) < public_before < int(after["trades"][0]["id"])


async def test_a_half_written_request_is_cut_off_as_if_it_had_not_come(
    own_venue: VenueProcess, make_client: MakeClient
) -> None:
    alice = make_client(own_venue)
    await alice.create_order(SYMBOL, "market", "buy", 10, None, {"newClientOrderId": "whole"})
    own_venue.kill()
    log = own_venue.data_dir / "venue.log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    half = json.loads(lines[-2]) | {"order_id": 99, "client_order_id": "half", "seq": 999}
    assert ("order.accepted", True) == (half["kind"], half["more"])
    log.write_bytes(b"".join(lines) + json.dumps(half).encode() + b'\n{"kind":"order.tra')

    own_venue.start()

    state = own_venue.account_state("alice")
    assert ["whole"] == [order["clientOrderId"] for order in state["orders"]]
    assert "half" not in log.read_text(encoding="utf-8")


async def test_the_log_alone_tells_the_same_story(own_venue: VenueProcess, make_client: MakeClient) -> None:
    alice = make_client(own_venue)
    order = await alice.create_order(SYMBOL, "limit", "buy", 1500, 1.1001, {"newClientOrderId": "told"})
    await alice.cancel_order(order["id"], SYMBOL)

    facts = [fact for fact in own_venue.log() if fact.get("client_order_id") == "told"]

    assert ["order.accepted", "order.traded", "order.canceled"] == [fact["kind"] for fact in facts]
    assert ["1000", "1000"] == [facts[1]["cum_qty"], facts[2]["cum_qty"]]
    sequence = [fact["seq"] for fact in own_venue.log()]
    assert list(range(1, len(sequence) + 1)) == sequence


def test_a_second_venue_on_the_directory_is_refused(own_venue: VenueProcess) -> None:
    with pytest.raises(DrillFailed, match="another venue runs on"):
        VenueProcess.start_new(own_venue.data_dir)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order_even_with_a_request_that_is_never_answered(
    own_venue: VenueProcess, make_client: MakeClient, number: signal.Signals
) -> None:
    client = make_client(own_venue, timeout=300)
    await client.load_markets()
    own_venue.fault("F1")
    with pytest.raises(ccxt.RequestTimeout):
        await client.create_order(SYMBOL, "limit", "buy", 10, 1.0)

    assert 0 == own_venue.kill(number)


def test_it_leaves_when_its_parent_is_gone(own_venue: VenueProcess) -> None:
    assert 0 == own_venue.close_lifeline()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("empty.csv", "time,price\n", "expected at least two rows"),
        ("columns.csv", "time,colour\n1,red\n2,blue\n", "expected columns"),
        ("times.csv", "when,price\n1,1.0\n2,1.1\n", "expected a time column"),
    ],
)
def test_unusable_prices_are_refused_with_what_was_expected(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(DrillFailed, match=words):
        VenueProcess.start_new(tmp_path / "venue", prices=str(tmp_path / name))


async def test_a_recording_of_quotes_is_played_as_it_is(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-01T00:00:0{s}Z,{100 + s}.10,{100 + s}.20,3.5,4.5\n" for s in range(5))
    (tmp_path / "quotes.csv").write_text("time,bid,ask,bid_qty,ask_qty\n" + rows, encoding="utf-8")
    venue = VenueProcess.start_new(
        tmp_path / "venue", prices=str(tmp_path / "quotes.csv"), symbol="XYZ/USDT", speed="20"
    )
    client: Any = ccxt_client(venue, "demo")
    try:
        quotes = [(await client.watch_bids_asks(["XYZ/USDT"]))["XYZ/USDT"] for _ in range(6)]
    finally:
        await client.close()
        venue.stop()

    assert {100.1, 101.1, 102.1, 103.1, 104.1} == {quote["bid"] for quote in quotes}
    assert {(3.5, 4.5)} == {(quote["bidVolume"], quote["askVolume"]) for quote in quotes}
