"""Binance's frames and answers become reports without losing a digit or an id."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from trading_orchestrator.brokers.ccxt import binance_words as words
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side, TimeInForce, TradeReport, VenueStatus
from trading_orchestrator.market.port import Instrument, Quote, Trade

# binance-spot-api-docs, user-data-stream.md, with a trade filled in.
EXECUTION: dict[str, Any] = {
    "e": "executionReport", "E": 1499405658658, "s": "ETHBTC", "c": "tx-mine", "S": "BUY", "o": "LIMIT", "f": "GTC",
    "q": "1.00000000", "p": "0.10264410", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "", "x": "TRADE",
    "X": "PARTIALLY_FILLED", "r": "NONE", "i": 4293153, "l": "0.30000001", "z": "0.40000001", "L": "0.10264400",
    "n": "0.00000123", "N": "BNB", "T": 1499405658657, "t": 77, "I": 8641984, "w": True, "m": False, "M": False,
    "O": 1499405658657, "Z": "0.04", "Y": "0.03", "Q": "0.00000000",
}  # fmt: skip
TRADE = TradeReport(
    symbol="ETH/BTC", trade_id="77", venue_order_id="4293153", cl_ord_id="tx-mine", side=Side.BUY,
    last_qty=Decimal("0.30000001"), last_px=Decimal("0.10264400"), fee=Decimal("0.00000123"), fee_asset="BNB",
    at_ns=1499405658657_000000,
)  # fmt: skip


def test_an_execution_report_keeps_every_digit_and_tells_its_trade() -> None:
    report = words.execution_report(EXECUTION, "ETH/BTC")

    assert ("tx-mine", "4293153", VenueStatus.PARTIALLY_FILLED) == (
        report.cl_ord_id, report.venue_order_id, report.status,
    )  # fmt: skip
    assert (Decimal(1), Decimal("0.10264410"), Decimal("0.40000001")) == (report.order_qty, report.px, report.cum_qty)
    trade = structs.replace(TRADE, raw_hash=report.raw_hash)
    assert ((trade,), "stream", 1499405658657_000000) == (report.trades, report.source, report.at_ns)
    assert (32, Decimal("0.04")) == (len(report.raw_hash), report.cum_quote)


@pytest.mark.parametrize(("said", "means"), [("-0.00000001", None), (None, None), ("0.04000000", Decimal("0.04"))])
def test_a_sum_that_the_venue_did_not_keep_is_none(said: str | None, means: Decimal | None) -> None:
    order = {"side": "BUY", "type": "LIMIT", "orderId": 1, "clientOrderId": "tx", "updateTime": 1, "status": "FILLED",
             "origQty": "1", "price": "1", "executedQty": "1"}  # fmt: skip

    report = words.order_report(order | ({} if said is None else {"cummulativeQuoteQty": said}), "ETH/BTC", "query")

    assert means == report.cum_quote


def test_the_hash_of_a_frame_changes_with_any_field() -> None:
    other = words.execution_report(EXECUTION | {"Q": "1"}, "ETH/BTC")

    assert other.raw_hash != words.execution_report(EXECUTION, "ETH/BTC").raw_hash


def test_a_cancel_is_reported_under_the_orders_id_not_the_cancels() -> None:
    report = words.execution_report(
        EXECUTION | {"x": "CANCELED", "X": "CANCELED", "c": "web_9", "C": "tx-mine"}, "ETH/BTC"
    )

    assert ("tx-mine", VenueStatus.CANCELED, ()) == (report.cl_ord_id, report.status, report.trades)


def test_a_rejection_keeps_its_reason() -> None:
    report = words.execution_report(EXECUTION | {"x": "REJECTED", "X": "REJECTED", "r": "ACCOUNT_SETTLING"}, "ETH/BTC")

    assert (VenueStatus.REJECTED, "ACCOUNT_SETTLING") == (report.status, report.text)


def test_a_trade_without_a_fee_costs_nothing() -> None:
    (trade,) = words.execution_report(EXECUTION | {"n": None, "N": None}, "ETH/BTC").trades

    assert (Decimal(0), "") == (trade.fee, trade.fee_asset)


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("NEW", VenueStatus.NEW),
        ("PENDING_CANCEL", VenueStatus.PENDING_CANCEL),
        ("EXPIRED_IN_MATCH", VenueStatus.EXPIRED),
        ("EXPIRED", VenueStatus.EXPIRED),
        ("FILLED", VenueStatus.FILLED),
    ],
)
def test_a_status_is_translated(said: str, means: VenueStatus) -> None:
    assert means is words.execution_report(EXECUTION | {"X": said}, "ETH/BTC").status


@pytest.mark.parametrize("lacking", ["s", "i", "X", "q", "T"])
def test_a_frame_that_lacks_a_field_raises_instead_of_guessing(lacking: str) -> None:
    frame = {key: value for key, value in EXECUTION.items() if key != lacking}

    if lacking == "s":  # the symbol is looked up by the caller
        assert "ETH/BTC" == words.execution_report(frame, "ETH/BTC").symbol
    else:
        with pytest.raises(KeyError):
            words.execution_report(frame, "ETH/BTC")


@pytest.mark.parametrize(
    ("order", "params"),
    [
        (
            NewOrder("tx-1", "ETH/BTC", Side.BUY, OrdType.LIMIT, Decimal("1.50"), Decimal("1E-7"), TimeInForce.IOC),
            {"type": "LIMIT", "side": "BUY", "quantity": "1.5", "price": "0.0000001", "timeInForce": "IOC"},
        ),
        (
            NewOrder("tx-1", "ETH/BTC", Side.SELL, OrdType.MARKET, Decimal("2E+1")),
            {"type": "MARKET", "side": "SELL", "quantity": "20"},
        ),
        (
            NewOrder("tx-1", "ETH/BTC", Side.SELL, OrdType.LIMIT_MAKER, Decimal(3), Decimal("0.10")),
            {"type": "LIMIT_MAKER", "side": "SELL", "quantity": "3", "price": "0.1"},
        ),
    ],
)
def test_an_order_is_sent_in_plain_digits(order: NewOrder, params: dict[str, str]) -> None:
    fixed = {"symbol": "ETHBTC", "newClientOrderId": "tx-1", "newOrderRespType": "FULL"}

    assert fixed | params == words.order_params(order, "ETHBTC")


def test_prices_keep_every_digit_and_both_times() -> None:
    ticker = {"u": 1, "s": "ETHBTC", "b": "25.35190000", "B": "31.21", "a": "25.36520000", "A": "40.66"}
    trade = {"e": "trade", "E": 1672515782136, "s": "ETHBTC", "t": 12345, "p": "0.001", "q": "100", "T": 1672515782135}

    assert (
        Quote("ETH/BTC", Decimal("25.35190000"), Decimal("31.21"), Decimal("25.3652"), Decimal("40.66"), 5, 7),
        Trade("ETH/BTC", "12345", Decimal("0.001"), Decimal(100), 1672515782135_000000, 7),
    ) == (words.quote(ticker, "ETH/BTC", at_ns=5, received_ns=7), words.public_trade(trade, "ETH/BTC", received_ns=7))


def test_an_instruments_steps_carry_no_zeros_behind() -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00000100", "maxPrice": "1000", "tickSize": "0.00000100"},
        {"filterType": "LOT_SIZE", "minQty": "0.00100000", "maxQty": "100000.00000000", "stepSize": "0.00100000"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "0.00000000"},
    ]
    raw = {"symbol": "ETHBTC", "baseAsset": "ETH", "quoteAsset": "BTC", "filters": filters}

    found = words.instrument(raw)

    expected = Instrument(
        "ETH/BTC", "ETH", "BTC", Decimal("0.000001"), Decimal("0.001"), Decimal("0.001"), Decimal(100000), None
    )
    assert expected == found
    assert Decimal("1.234567") == Decimal("1.23456712").quantize(found.tick_px)
