"""Every kind of fact with an order in it has its sentence; a new kind without one fails here."""

from __future__ import annotations

import typing
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side, TradeReport, VenueStatus
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.order_facts import CIRCUMSTANCES
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.story import SENTENCES, STANDS, Moment, details, sentence, source, standing

OF_AN_ORDER = {"cl_ord_id", "report", "order", "record", "trade", "booked"}
OF_NO_ORDER = {
    *("account.opened", "account.adjusted", "cursor.advanced", "strategy.saved", "strategy.blamed"),
    *("strategy.restarted", "strategy.disabled"),
    *("trading_day.began", "request.declined", "projections.rebuilt"),
    *CIRCUMSTANCES,
}
ASKED = NewOrder("tro1", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(50), Decimal("1.05"))
TRADE = TradeReport("EUR/USDT", "9", "17", "tro1", Side.BUY, Decimal(20), Decimal("1.0523"), Decimal("0.02"), "USDT", 5)
REPORT = OrderReport(
    "EUR/USDT", "tro1", "17", VenueStatus.NEW, Side.BUY, OrdType.LIMIT,
    Decimal(50), Decimal("1.05"), Decimal(0), 5, "stream",
)  # fmt: skip
ORDER = Order("tro1", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(50), Decimal("1.05"), created_ns=1)
SAMPLES: dict[Any, Any] = {
    str: "word", int: 3, float: 1.5, bool: True, Decimal: Decimal(20), NewOrder: ASKED, TradeReport: TRADE,
    OrderReport: REPORT, msgspec.Raw: msgspec.Raw(msgspec.json.encode(ORDER)), list[str]: ["said"],
    Decimal | None: Decimal(1),
}  # fmt: skip


def sample(kind: type[f.Body]) -> f.Body:
    """Return a fact of this kind with something in every field."""
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: SAMPLES[hints[field.name]] for field in msgspec.structs.fields(kind)})


def test_every_kind_has_a_sentence_or_is_named_as_being_of_no_order() -> None:
    untold = {kind for kind, body in f.KINDS.items() if body not in SENTENCES}

    assert OF_NO_ORDER == untold


def test_no_kind_with_an_order_in_it_is_named_as_being_of_none() -> None:
    fields = {kind: {field.name for field in msgspec.structs.fields(f.KINDS[kind])} for kind in OF_NO_ORDER}

    assert {} == {kind: names & OF_AN_ORDER for kind, names in fields.items() if names & OF_AN_ORDER}


@pytest.mark.parametrize("kind", list(SENTENCES), ids=lambda kind: f.KIND_OF[kind])
def test_every_sentence_can_be_said_whatever_is_known(kind: type[f.Body]) -> None:
    for moment in (Moment(None, None), Moment(None, ORDER), Moment(ORDER, ORDER)):
        said = sentence(sample(kind), moment)
        assert said
        assert "\n" not in said
        assert "None" not in said
    assert source(sample(kind))


def test_every_state_of_an_order_has_its_last_sentence() -> None:
    assert set(At) == set(STANDS)


def test_a_doubt_says_how_long_it_waited_and_that_nothing_is_rejected() -> None:
    doubt = f.OrderDoubted(cl_ord_id="tro1", reason="NoAnswer: time-out", at_ns=1_000_000_001)

    assert (
        "sent; no answer to trust within 1.0 s (NoAnswer: time-out): UNKNOWN, not rejected, never resent; "
        "exposure stays reserved"
    ) == sentence(doubt, Moment(ORDER, ORDER))


def test_evidence_after_a_doubt_is_an_adoption() -> None:
    doubted = msgspec.structs.replace(ORDER, lack=At.UNKNOWN)

    assert "accepted as venue order 17, new" == sentence(f.OrderAccepted(report=REPORT), Moment(ORDER, ORDER))
    assert "adopted from the account stream: the venue has it as venue order 17, new" == sentence(
        f.OrderAccepted(report=REPORT), Moment(doubted, ORDER)
    )


def test_a_trade_is_told_with_what_it_is_part_of() -> None:
    after = msgspec.structs.replace(ORDER, accepted=True, traded_qty=Decimal(45), traded_quote=Decimal(47))

    assert "trade 9: 20 of 50 at 1.0523, fee 0.02 USDT (45 in all)" == sentence(
        f.TradeBooked(trade=TRADE, source="stream", cl_ord_id="tro1"), Moment(ORDER, after)
    )


def test_a_proof_of_absence_lists_what_was_asked() -> None:
    proof = [
        "order query: not found, 0.400 s after it",
        "order query: not found, 3.100 s after it",
        "balances: explained",
    ]

    assert (
        "asked: not found, 0.400 s after it (1 of 2)",
        "asked: not found, 3.100 s after it (2 of 2)",
        "balances: explained",
    ) == details(f.OrderAbandoned(cl_ord_id="tro1", proof=proof))


def test_an_open_order_tells_what_is_left_of_it() -> None:
    order = msgspec.structs.replace(ORDER, accepted=True, traded_qty=Decimal(20), traded_quote=Decimal(21))

    assert "It works at the venue; 20 of 50 traded at 1.05, 30 left." == standing(order)
